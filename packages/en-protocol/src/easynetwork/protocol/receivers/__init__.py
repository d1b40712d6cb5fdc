# SPDX-License-Identifier: Apache-2.0
"""Receivers: bytes in, packets out, without I/O.

Servers and clients of every transport read their streams through them::

    receiver = make_receiver(protocol, max_recv_size)
    while not receiver.ended:
        packet = receiver.next_packet()  # or StreamProtocolParseError, for one bad frame
        if packet is NEED_DATA:
            receiver.feed(...)  # bytes that were read
"""

from __future__ import annotations

from ._abc import NEED_DATA, NeedData, StreamReceiver
from ._receivers import make_receiver

__all__ = ("NEED_DATA", "NeedData", "StreamReceiver", "make_receiver")
