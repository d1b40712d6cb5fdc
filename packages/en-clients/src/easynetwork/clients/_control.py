# SPDX-License-Identifier: Apache-2.0
"""Control data that comes with packets: for each packet it goes to who asked for it, or is
closed.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from easynetwork.ancillary import CONTROL_BUFSIZE, ControlQueue, ReceivedControl, SocketAncillary
from easynetwork.lowlevel.unix_messages import CONTROL_CUT, DATA_CUT
from easynetwork.protocol.receivers import NEED_DATA, NeedData, StreamReceiver

if TYPE_CHECKING:
    from easynetwork.lowlevel.streams import RawControlMessage

__all__ = ("AncillaryPackets", "check_ancillary", "check_whole", "open_message")

_T = TypeVar("_T")


def check_ancillary(ancillary_data: object, ancillary_bufsize: Any) -> int:
    """What the arguments of a reception mean; returns the size of the buffer.

    Raises:
        TypeError, ValueError: they mean nothing.
    """
    if ancillary_data is None:
        if ancillary_bufsize is not None:
            raise ValueError("ancillary_bufsize: means nothing without ancillary_data=")
    elif not isinstance(ancillary_data, SocketAncillary):
        raise TypeError(f"ancillary_data: expected a SocketAncillary to be filled, got {type(ancillary_data).__name__}")
    if ancillary_bufsize is None:
        return CONTROL_BUFSIZE
    if isinstance(ancillary_bufsize, bool) or not isinstance(ancillary_bufsize, int):
        raise TypeError(f"ancillary_bufsize: expected an int, got {type(ancillary_bufsize).__name__}")
    if ancillary_bufsize < 1:
        raise ValueError(f"ancillary_bufsize: expected 1 or more, got {ancillary_bufsize}")
    return ancillary_bufsize


def check_whole(flags: int) -> None:
    """Raises `OSError` (``EMSGSIZE``) if ``recvmsg(2)`` says that the datagram was cut off."""
    if flags & DATA_CUT:
        raise OSError(errno.EMSGSIZE, "a datagram longer than the buffer was cut off, and is lost")


def open_message(
    message: tuple[bytes, Sequence[RawControlMessage], int], decode: Callable[[bytes], _T], ancillary: SocketAncillary
) -> _T:
    """The packet in a datagram that came with control messages, which are put into ``ancillary``,
    or closed if there is none.

    Raises:
        OSError: the datagram or its control messages were cut off (``EMSGSIZE``).
    """
    data, messages, flags = message
    with contextlib.closing(ReceivedControl(messages, truncated=bool(flags & CONTROL_CUT))) as control:
        check_whole(flags)
        packet = decode(data)
        control.deliver(ancillary.update_from_raw)
        return packet


class AncillaryPackets(Generic[_T]):
    """The packets that a receiver finds in a stream, and the control messages that came with
    each.
    """

    def __init__(self, receiver: StreamReceiver[_T]) -> None:
        self._receiver = receiver
        self._queue = ControlQueue()
        self.sink = self._queue.add
        """Must be told of each read of the stream."""
        self.close = self._queue.close
        """Closes what waits, and what comes later."""

    def next_packet(self) -> _T | NeedData:
        """The next packet; its control messages are closed."""
        packet = self._receive()
        if packet is not NEED_DATA:
            self._claim().close()
        return packet

    def next_packet_into(self, ancillary: SocketAncillary) -> Callable[[], _T | NeedData]:
        """A function like `next_packet`, for one packet: its control messages are put into
        ``ancillary``.

        It raises `EOFError` when it is asked a second time and there is no packet either, because
        the control messages of that read would wait for a packet that may never be whole. They are
        closed.
        """
        has_asked = False

        def next_packet() -> _T | NeedData:
            nonlocal has_asked
            packet = self._receive()
            if packet is not NEED_DATA:
                self._claim().deliver(ancillary.update_from_raw)
            elif has_asked:
                self._queue.claim(0).close()
                raise EOFError("what was received with control data is no whole packet yet")
            has_asked = True
            return packet

        return next_packet

    def _receive(self) -> _T | NeedData:
        try:
            return self._receiver.next_packet()
        except Exception:
            self._claim().close()  # of the bad frame
            raise

    def _claim(self) -> ReceivedControl:
        return self._queue.claim(self._receiver.unread)
