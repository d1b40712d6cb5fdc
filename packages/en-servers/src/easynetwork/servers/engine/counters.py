# SPDX-License-Identifier: Apache-2.0
"""What a running server counts."""

from __future__ import annotations

import threading
from collections import Counter
from types import MappingProxyType
from typing import Final

from ..statistics import CloseReason, ServerStatistics

__all__ = ("FULL", "Counters", "Traffic")


FULL: Final = 250
"""How many sizes wait to be added up: the length of the list is one of the small numbers that
Python has always there."""


class Traffic:
    """Packets and bytes that pass through one server.

    Each packet is an item in a list, which costs a fifth of raising two counters, whose new values
    are new objects. Who appends looks whether the list is `FULL`, and has it added up then: by hand
    where each instruction counts.
    """

    def __init__(self) -> None:
        self.reads: list[int] = []
        """Sizes; each stands for a packet, too."""
        self.sends: list[int] = []
        """The same."""
        self.more_packets = 0
        """How many more packets than reads there were; less than 0 if packets came in pieces."""
        self._packets_sent = self._bytes_received = self._bytes_sent = 0
        self._lock = threading.Lock()  # against those who ask in other threads

    def send(self, size: int) -> None:
        """Counts a packet of ``size`` bytes."""
        self.sends.append(size)
        if len(self.sends) >= FULL:
            self.add_up()

    def add_up(self) -> None:
        """Empties the lists."""
        with self._lock:
            self.more_packets += len(self.reads)
            self._packets_sent += len(self.sends)
            self._bytes_received += sum(self.reads)
            self._bytes_sent += sum(self.sends)
            self.reads.clear()
            self.sends.clear()

    def counts(self) -> tuple[int, int, int, int]:
        """Packets received and sent, bytes received and sent. Thread-safe."""
        with self._lock:
            return (
                self.more_packets + len(self.reads),
                self._packets_sent + len(self.sends),
                self._bytes_received + sum(self.reads),
                self._bytes_sent + sum(self.sends),
            )


class Counters:
    """The changing side of `ServerStatistics`, which explains the names."""

    def __init__(self) -> None:
        self.clients_total = 0
        self.parse_errors = 0
        self.handler_errors = 0
        self.datagrams_dropped = 0
        self.handshakes_failed = 0
        self.longest_queue = 0
        self.limits_hit: Counter[str] = Counter()
        self.closed: Counter[CloseReason] = Counter()
        self.traffic = Traffic()

    def snapshot(self, clients: int) -> ServerStatistics:
        """The counters as they are now.

        Thread-safe; each of them is right, though they may be some packets apart.
        """
        packets_received, packets_sent, bytes_received, bytes_sent = self.traffic.counts()
        return ServerStatistics(
            clients=clients,
            clients_total=self.clients_total,
            packets_received=packets_received,
            packets_sent=packets_sent,
            bytes_received=bytes_received,
            bytes_sent=bytes_sent,
            parse_errors=self.parse_errors,
            handler_errors=self.handler_errors,
            datagrams_dropped=self.datagrams_dropped,
            handshakes_failed=self.handshakes_failed,
            longest_queue=self.longest_queue,
            limits_hit=MappingProxyType(dict(self.limits_hit)),
            closed=MappingProxyType(dict(self.closed)),
        )
