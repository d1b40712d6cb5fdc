# SPDX-License-Identifier: Apache-2.0
"""What the server and the clients of the chat say to each other: each message is a line of text."""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass, fields
from typing import Final, TypeVar

from easynetwork.converter import AbstractPacketConverterComposite
from easynetwork.exceptions import PacketConversionError
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer

REQUEST_LIMIT: Final = 500
"""Bytes of a line that a client may send: more than people type."""

EVENT_LIMIT: Final = 4096
"""Bytes of a line that a server may send, as the names of a full room."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,15}")


def check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise ValueError("a name has 1 to 16 characters: a-z, 0-9 and -, and begins with a letter")


def check_text(text: str) -> None:
    # What cannot be printed may be a command to the terminals of others.
    if not text.strip() or not text.isprintable():
        raise ValueError("a text is not empty, and all its characters can be printed")


@dataclass(frozen=True)
class Message:
    """A line begins with the name of the message's class in lower case.

    Its fields follow, and the last of them may have blanks.
    """


@dataclass(frozen=True)
class _WithName(Message):
    name: str

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True)
class _WithText(Message):
    text: str

    def __post_init__(self) -> None:
        check_text(self.text)


@dataclass(frozen=True)
class _WithNameAndText(Message):
    name: str
    text: str

    def __post_init__(self) -> None:
        check_name(self.name)
        check_text(self.text)


class Login(_WithName):
    """The first message of a client: who it is."""


class Say(_WithText):
    """For everybody."""


class Tell(_WithNameAndText):
    """For the member of that name alone."""


class Who(Message):
    """Asks for the names of all members."""


class Said(_WithNameAndText):
    """What the member of that name said to everybody."""


class Told(_WithNameAndText):
    """What the member of that name said to you alone."""


class Joined(_WithName):
    """A member has come."""


class Left(_WithNameAndText):
    """A member has gone; the text is why."""


class Members(_WithText):
    """The answer to `Who`."""


class Notice(_WithText):
    """What the server has to say to one client."""


class Refused(_WithText):
    """The server's last word to a client that it does not let in."""


Request = Login | Say | Tell | Who
Event = Said | Told | Joined | Left | Members | Notice | Refused

_SentT = TypeVar("_SentT", bound=Message)
_ReceivedT = TypeVar("_ReceivedT", bound=Message)


class LineConverter(AbstractPacketConverterComposite[_SentT, _ReceivedT, str, str]):
    """Makes messages of lines, and lines of messages.

    Args:
        received: the classes of messages that may come.
    """

    def __init__(self, *received: type[_ReceivedT]) -> None:
        self._received = {kind.__name__.lower(): kind for kind in received}

    def create_from_dto_packet(self, packet: str, /) -> _ReceivedT:
        word, _, rest = packet.partition(" ")
        kind = self._received.get(word)
        if kind is None:
            raise PacketConversionError("a line begins with one of: " + ", ".join(self._received))
        count = len(fields(kind))
        values = rest.split(" ", count - 1) if count else []
        if len(values) < count:
            raise PacketConversionError(f"{word}: something is missing")
        try:
            return kind(*values)
        except ValueError as exc:
            raise PacketConversionError(str(exc)) from exc

    def convert_to_dto_packet(self, obj: _SentT, /) -> str:
        return " ".join([type(obj).__name__.lower(), *astuple(obj)])


def server_protocol() -> StreamProtocol[Event, Request]:
    lines = StringLineSerializer(encoding="utf-8", limit=REQUEST_LIMIT)
    return StreamProtocol(lines, LineConverter[Event, Request](Login, Say, Tell, Who))


def client_protocol() -> StreamProtocol[Request, Event]:
    lines = StringLineSerializer(encoding="utf-8", limit=EVENT_LIMIT)
    events = (Said, Told, Joined, Left, Members, Notice, Refused)
    return StreamProtocol(lines, LineConverter[Request, Event](*events))
