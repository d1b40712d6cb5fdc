# SPDX-License-Identifier: Apache-2.0
"""What the key-value server and its clients send: one JSON object in each datagram."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

from easynetwork.converter import AbstractPacketConverter, StapledPacketConverter
from easynetwork.exceptions import PacketConversionError
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.serializers.json import JSONEncoderConfig

KEY_BYTES: Final = 200
VALUE_BYTES: Final = 500
"""Two of them and a key fit into one Ethernet frame, so no datagram is cut into fragments."""

LONGEST_SECONDS: Final = 86400.0
"""A day: how long a value with an expiry may live."""

_ID = re.compile(r"[0-9a-f]{32}")


def check_text(what: str, text: object, limit: int) -> None:
    if not isinstance(text, str) or not 0 < len(text.encode()) <= limit:
        raise ValueError(f"a {what} is a text of 1 to {limit} bytes")


def check_seconds(seconds: object) -> None:
    if seconds is None:
        return
    if not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_SECONDS:
        raise ValueError(f"seconds are a number up to {LONGEST_SECONDS:g}, or null")


@dataclass(frozen=True)
class Get:
    key: str

    def __post_init__(self) -> None:
        check_text("key", self.key, KEY_BYTES)


@dataclass(frozen=True)
class Set:
    key: str
    value: str
    seconds: float | None = None
    """Until the value is forgotten; None keeps it."""

    def __post_init__(self) -> None:
        check_text("key", self.key, KEY_BYTES)
        check_text("value", self.value, VALUE_BYTES)
        check_seconds(self.seconds)


@dataclass(frozen=True)
class Delete:
    key: str

    def __post_init__(self) -> None:
        check_text("key", self.key, KEY_BYTES)


@dataclass(frozen=True)
class CompareAndSet:
    key: str
    expected: str | None
    """What must be there now. None: nothing."""

    value: str
    seconds: float | None = None

    def __post_init__(self) -> None:
        Set(self.key, self.value, self.seconds)  # the same rules
        if self.expected is not None:
            check_text("value", self.expected, VALUE_BYTES)


Command = Get | Set | Delete | CompareAndSet

COMMANDS: Final[dict[str, type[Command]]] = {
    "get": Get,
    "set": Set,
    "delete": Delete,
    "compare-and-set": CompareAndSet,
}
_NAMES: Final[dict[type[Command], str]] = {kind: name for name, kind in COMMANDS.items()}


@dataclass(frozen=True)
class Request:
    """One command. Sent again, it has the same id, which is how the server knows it."""

    id: str
    command: Command


@dataclass(frozen=True)
class Answer:
    """It is done. ``value`` is what the key had before, or None."""

    id: str
    value: str | None


Code = Literal["bad-request", "conflict", "full", "busy"]


@dataclass(frozen=True)
class Failure:
    """It is not done."""

    id: str
    code: Code
    text: str


class RequestConverter(AbstractPacketConverter[Request, Any]):
    def create_from_dto_packet(self, packet: Any, /) -> Request:
        match packet:
            case {"id": str(number), "do": str(name), **arguments} if _ID.fullmatch(number):
                return Request(number, _command(number, name, cast("dict[str, Any]", arguments)))
            case _:
                raise PacketConversionError("this is no request")

    def convert_to_dto_packet(self, obj: Request, /) -> Any:
        return {"id": obj.id, "do": _NAMES[type(obj.command)], **vars(obj.command)}


def _command(number: str, name: str, arguments: dict[str, Any]) -> Command:
    try:
        return COMMANDS[name](**arguments)
    except (KeyError, TypeError):
        raise PacketConversionError("there is no such command", error_info=number) from None
    except ValueError as exc:
        raise PacketConversionError(str(exc), error_info=number) from exc


class AnswerConverter(AbstractPacketConverter[Answer | Failure, Any]):
    def create_from_dto_packet(self, packet: Any, /) -> Answer | Failure:
        match packet:
            case {"id": str(number), "value": (str() | None) as value}:
                return Answer(number, value)
            case {"id": str(number), "code": code, "text": str(text)} if code in get_args(Code):
                return Failure(number, code, text)
            case _:
                raise PacketConversionError("this is no answer")

    def convert_to_dto_packet(self, obj: Answer | Failure, /) -> Any:
        return vars(obj)


def server_protocol() -> DatagramProtocol[Answer | Failure, Request]:
    return DatagramProtocol(_json(), StapledPacketConverter(AnswerConverter(), RequestConverter()))


def client_protocol() -> DatagramProtocol[Request, Answer | Failure]:
    return DatagramProtocol(_json(), StapledPacketConverter(RequestConverter(), AnswerConverter()))


def _json() -> JSONSerializer:
    return JSONSerializer(JSONEncoderConfig(ensure_ascii=False))
