# SPDX-License-Identifier: Apache-2.0
"""A connection over a Unix socket: packets, and the control messages that come with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from easynetwork.ancillary import ControlQueue, raw_control_messages
from easynetwork.exceptions import StreamProtocolParseError
from easynetwork.lowlevel.request_handler import RecvParams
from easynetwork.lowlevel.streams import ControlByteStream
from easynetwork.servers.engine.conversation import EOF, EndOfStream
from easynetwork.servers.engine.stream_client import StreamClient

if TYPE_CHECKING:
    from easynetwork.servers.engine.stream_service import StreamService

__all__ = ("UnixStreamClient",)

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class UnixStreamClient(StreamClient[_RequestT, _ResponseT]):
    """A `StreamClient` that never loses a descriptor: those of each packet go to whoever asked for them with it, and are closed otherwise."""

    def __init__(
        self,
        stream: ControlByteStream,
        service: StreamService[_RequestT, _ResponseT],
        attributes: Mapping[Any, Callable[[], Any]],
        *,
        ancillary_bufsize: int,
    ) -> None:
        super().__init__(stream, service, attributes)
        limits = service.limits
        self._control_stream = stream
        self._control = ControlQueue(max_pending=limits.max_pending_descriptors, max_in_read=limits.max_descriptors)
        stream.deliver_control(self._control.add, ancillary_bufsize)

    def check_control(self) -> None:
        """There are control messages here."""

    async def receive(self, wish: Any) -> _RequestT | Literal[EndOfStream.EOF]:
        try:
            packet = await super().receive(wish)
        except StreamProtocolParseError:
            self._control.claim(self._receiver.unread).close()  # came with what was bad
            raise
        if packet is EOF:
            return EOF
        control = self._control.claim(self._receiver.unread)
        if isinstance(wish, RecvParams) and wish.recv_with_ancillary is not None:
            control.deliver(wish.recv_with_ancillary.data_received)
        else:
            control.close()
        return packet

    async def send_packet_with_ancillary(self, packet: _ResponseT, ancillary_data: Any, /) -> None:
        messages = raw_control_messages(ancillary_data)
        data = self._encoded(packet)
        self._traffic.send(len(data))
        await self._send_in_turn(self._control_stream.send_message, data, messages)

    async def aclose(self) -> None:
        try:
            await super().aclose()
        finally:
            self._control.close()

    def abort(self) -> None:
        super().abort()
        self._control.close()
