# SPDX-License-Identifier: Apache-2.0
"""The interface of receivers, and their answer "not yet"."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from typing import Final, Generic, Literal, TypeAlias, TypeVar

__all__ = ("NEED_DATA", "SMALL_BUFFER", "NeedData", "StreamReceiver")

_T_co = TypeVar("_T_co", covariant=True)

SMALL_BUFFER = 4096
"""A buffer of at most this many bytes (a page) is kept for the next packet; a greater one is not
worth its idle memory."""


class _Answer(enum.Enum):
    # An enumeration, because type checkers narrow on the identity of its members.
    NEED_DATA = enum.auto()


NeedData: TypeAlias = Literal[_Answer.NEED_DATA]

NEED_DATA: Final = _Answer.NEED_DATA
"""What `StreamReceiver.next_packet` returns when there is no whole packet yet."""


class StreamReceiver(ABC, Generic[_T_co]):
    """Finds the packets in the bytes of one stream.

    An over-long frame is one error, whatever chunks it comes in, and nothing of its inside is ever
    taken for a packet. When its end can be found (the serializer's frames end with a separator),
    what is left of it is thrown away without troubling the protocol, and the next frame is read;
    otherwise the stream reads as ended.
    """

    drained: bool = False
    """There is no packet before more is fed. A receiver that does not know says False."""

    ended: bool = False
    """The beginning of the next frame will never be found: `next_packet` says `NEED_DATA` for
    ever."""

    @abstractmethod
    def next_packet(self) -> _T_co | NeedData:
        """Return the next packet, or `NEED_DATA`.

        Raises:
            StreamProtocolParseError: A frame is bad. Call again for the next one. The
                ``remaining_data`` of the error is empty, because the receiver keeps those bytes.
            RuntimeError: The protocol has raised something else, which is the cause. The receiver
                has `ended`.
        """

    @abstractmethod
    def feed(self, data: bytes) -> None:
        """Add bytes at the end.

        Cheapest when `next_packet` has said `NEED_DATA`. Bytes after the end are ignored.
        """

    def receive(self, data: bytes) -> _T_co | NeedData:
        """Add bytes, which may be none, and return the next packet or `NEED_DATA`: `feed` and
        `next_packet` in one call.
        """
        if data:
            self.feed(data)
        return self.next_packet()

    @property
    @abstractmethod
    def has_partial_frame(self) -> bool:
        """Bytes of an unfinished frame are held or being thrown away.

        Meaningful after `next_packet` said `NEED_DATA`.
        """

    @property
    @abstractmethod
    def unread(self) -> int:
        """How many bytes were fed behind the frame that `next_packet` has just ended; padding
        between frames does not count.
        """
