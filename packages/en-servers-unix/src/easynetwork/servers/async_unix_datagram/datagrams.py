# SPDX-License-Identifier: Apache-2.0
"""Datagrams with control messages, from the socket to the handler."""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, TypeVar

from easynetwork.ancillary import ReceivedControl, raw_control_messages
from easynetwork.exceptions import UnsupportedOperation
from easynetwork.lowlevel.datagrams import ControlDatagramListener
from easynetwork.lowlevel.unix_messages import CONTROL_CUT, DATA_CUT
from easynetwork.servers.engine.datagram_reader import DatagramReader
from easynetwork.servers.engine.datagram_source import WrappedListener
from easynetwork.servers.engine.log import RateLimit

if TYPE_CHECKING:
    from easynetwork.protocol import DatagramProtocol

__all__ = (
    "AnyDatagram",
    "ControlDatagram",
    "ControlDatagramReader",
    "ControlDatagramSource",
    "UnnamedAddressesBehavior",
    "send_with_control",
)

_RequestT = TypeVar("_RequestT")

UnnamedAddressesBehavior = Literal["ignore", "handle", "warn"]

_CUT: Final = DATA_CUT | CONTROL_CUT


class ControlDatagram:
    """A datagram with control messages, or one that was cut off.

    All others are just their bytes.
    """

    def __init__(self, data: bytes, control: ReceivedControl, *, is_cut: bool) -> None:
        self._data = data
        self._is_cut = is_cut
        self.control = control

    def __len__(self) -> int:
        """Bytes of data."""
        return len(self._data)

    def whole_data(self) -> bytes:
        """The data.

        Raises:
            OSError: there is only a part of it (``EMSGSIZE``).
        """
        if self._is_cut:
            raise OSError(errno.EMSGSIZE, "a datagram was cut off: it is longer than the longest that can be received")
        return self._data


AnyDatagram = bytes | ControlDatagram


class ControlDatagramReader(DatagramReader[AnyDatagram, _RequestT]):
    """Gives each packet's control messages to whoever asks for them with it, and closes the
    descriptors of the others.
    """

    def __init__(self, protocol: DatagramProtocol[Any, _RequestT], *, receives_control: bool) -> None:
        super().__init__(protocol)
        self._receives_control = receives_control

    def check_control(self) -> None:
        if not self._receives_control:
            raise UnsupportedOperation(
                "this server does not receive control messages; make it with receive_ancillary_data=True"
            )

    def read(self, datagram: AnyDatagram, data_received: Callable[[Any], object] | None) -> _RequestT:
        if isinstance(datagram, bytes):
            datagram = ControlDatagram(datagram, ReceivedControl(), is_cut=False)
        with contextlib.closing(datagram.control):
            packet = self.decode(datagram.whole_data())
            if data_received is not None:
                datagram.control.deliver(data_received)
            return packet

    def descriptors_in(self, datagram: AnyDatagram) -> int:
        return datagram.control.descriptors if isinstance(datagram, ControlDatagram) else 0

    def discard(self, datagram: AnyDatagram) -> None:
        if isinstance(datagram, ControlDatagram):
            datagram.control.close()


class ControlDatagramSource(WrappedListener[ControlDatagramListener]):
    """What the engine reads from: a listener, with its control messages owned and its unnamed
    senders sorted out.

    Args:
        listener: the socket.
        ancillary_bufsize: bytes of control messages that one datagram may bring; 0 leaves them to
            the kernel, which throws them away.
        unnamed: what to do with the datagrams of senders without an address.
        logger: where they are warned of.
        max_descriptors: how many descriptors a datagram may bring at present; None is no limit.
    """

    def __init__(
        self,
        listener: ControlDatagramListener,
        ancillary_bufsize: int,
        unnamed: UnnamedAddressesBehavior,
        logger: logging.Logger,
        max_descriptors: Callable[[], int | None],
    ) -> None:
        super().__init__(listener)
        self._bufsize = ancillary_bufsize
        self._unnamed = unnamed
        self._logger = logger
        self._max_descriptors = max_descriptors
        self._warnings = RateLimit()
        self._receive_message = listener.receive_message
        self._send_nowait = listener.send_nowait
        self.send_message = listener.send_message

    async def receive(self) -> tuple[AnyDatagram, Any]:
        while True:
            data, messages, flags, address = await self._receive_message(self._bufsize)
            datagram: AnyDatagram = data
            if messages or flags & _CUT:
                truncated = self._bufsize > 0 and bool(flags & CONTROL_CUT)
                control = ReceivedControl(messages, truncated=truncated, max_descriptors=self._max_descriptors())
                datagram = ControlDatagram(data, control, is_cut=bool(flags & DATA_CUT))
            if address or self._unnamed == "handle":
                return datagram, address or ""
            self._discard_unnamed(datagram)

    def _discard_unnamed(self, datagram: AnyDatagram) -> None:
        if isinstance(datagram, ControlDatagram):
            datagram.control.close()
        if self._unnamed == "warn" and self._warnings.allows():
            self._logger.warning("A datagram received from an unbound UNIX datagram socket has been dropped.")

    def send_nowait(self, data: bytes, address: Any) -> bool:
        return self._send_nowait(data, address or _unanswerable())

    async def send(self, data: bytes, address: Any) -> None:
        await self._listener.send(data, address or _unanswerable())


async def send_with_control(source: ControlDatagramSource, data: bytes, ancillary_data: Any, address: Any) -> None:
    """Sends ``data`` and control messages to ``address``, in one system call."""
    await source.send_message(data, raw_control_messages(ancillary_data), address or _unanswerable())


def _unanswerable() -> NoReturn:
    raise OSError(errno.EINVAL, "the peer has no address: it can be answered only after it has bound its socket")
