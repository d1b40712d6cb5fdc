# SPDX-License-Identifier: Apache-2.0
"""A connection over a Unix socket: packets, and the control messages that come with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from easynetwork.ancillary import ControlQueue, raw_control_messages
from easynetwork.lowlevel.streams import ControlByteStream, RawControlMessage
from easynetwork.servers.engine.stream_connection import StreamConnection

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import TaskGroup
    from easynetwork.servers.engine.counters import Counters
    from easynetwork.servers.engine.settings import PeerAttributes, StreamSettings

__all__ = ("UnixStreamConnection",)

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class UnixStreamConnection(StreamConnection[_RequestT, _ResponseT]):
    """A `StreamConnection` that never loses a descriptor: those of each packet go to whoever asked
    for them with it, and are closed otherwise.
    """

    def __init__(
        self,
        settings: StreamSettings[_RequestT, _ResponseT],
        stream: ControlByteStream,
        counters: Counters,
        attributes: PeerAttributes,
        tasks: TaskGroup,
    ) -> None:
        super().__init__(settings, stream, counters, attributes, tasks)
        limits = settings.limits
        self._control_stream = stream
        self._control = ControlQueue(max_pending=limits.max_pending_descriptors, max_in_read=limits.max_descriptors)
        stream.deliver_control(self._control_came, settings.ancillary_bufsize)

    def check_control(self) -> None:
        """There are control messages here."""

    def _control_came(self, nbytes: int, messages: Sequence[RawControlMessage], truncated: bool) -> bool:
        """The `ControlSink` of the stream."""
        is_waiting = self._control.add(nbytes, messages, truncated)
        self._has_control |= is_waiting
        return is_waiting

    def _deliver_control(self) -> None:
        control = self._control.claim(self._receiver.unread)
        self._has_control = self._control.is_waiting
        if self._data_received is None:
            control.close()
        else:
            control.deliver(self._data_received)

    def _receiver_failed(self, error: Exception) -> None:
        super()._receiver_failed(error)
        self._control.claim(self._receiver.unread).close()  # came with what was bad

    async def send_packet_with_ancillary(self, packet: _ResponseT, ancillary_data: Any, /) -> None:
        messages = raw_control_messages(ancillary_data)
        data = self._encoded(packet)
        if self._held:
            await self._flush()
        self._counters.traffic.send(len(data))
        self._was_sent_to = True
        await self._send_in_turn(self._control_stream.send_message, data, messages)

    async def aclose(self) -> None:
        try:
            await super().aclose()
        finally:
            self._control.close()

    def abort(self) -> None:
        super().abort()
        self._control.close()
