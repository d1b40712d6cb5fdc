# SPDX-License-Identifier: Apache-2.0
"""Receivers: bytes in, packets out, without I/O.

Servers and clients of every colour read their streams through them::

    receiver = make_receiver(protocol, max_recv_size)
    while not receiver.ended:
        packet = receiver.next_packet()      # a packet, NEED_DATA, or StreamProtocolParseError for one bad frame
        if packet is NEED_DATA:
            receiver.feed(...)               # what the transport has read
"""

from __future__ import annotations

from ._abc import NEED_DATA, BufferReceiver, NeedData, StreamReceiver
from ._receivers import make_receiver

__all__ = ("NEED_DATA", "BufferReceiver", "NeedData", "StreamReceiver", "make_receiver")
