# SPDX-License-Identifier: Apache-2.0
"""Which packet of a byte stream do control messages belong to?

The kernel tells only which *read* they came with, and a read may hold many packets, or a part of
one. What more there is to know:

Descriptors are sent with the bytes of one packet. On Linux a read ends with them: it may glue bytes
that were sent earlier in front, but stops behind the first buffer that has descriptors, or inside
of it (``unix_stream_read_generic`` in net/unix/af_unix.c). So they belong to the packet that has
the *last* byte of their read. Other systems end the read before such bytes and begin a new one with
them, so there it is the packet with the *first* byte.

Credentials are no event but a fact about bytes: with ``SO_PASSCRED`` every read has them, and Linux
never glues bytes of different writers. So they are given to each packet that has bytes of that
read. A packet that comes in many small reads is told once, and nothing is stored for each read.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ._received import ReceivedControl
from ._records import RawControlMessage, descriptors_in

__all__ = ("ControlQueue",)

_NOTHING: Final = ReceivedControl()
"""What most packets come with: it owns nothing, and so it may belong to many."""


_MAX_FACTS: Final = 64
"""Changes of credentials that may wait: one for each process that takes a turn in writing a
packet."""


@dataclass
class _Descriptors:
    """Control messages with descriptors, or what is left of them."""

    position: int
    """How many bytes of the stream must have been used up before they are due."""
    control: ReceivedControl


@dataclass
class _Facts:
    """Control messages that hold for all bytes of the stream from ``start`` to before ``end``."""

    start: int
    end: int
    messages: list[RawControlMessage]


class ControlQueue:
    """Pairs control messages of a byte stream with the packets that they came with.

    `add` is a `ControlSink` for the stream.

    Args:
        max_pending: descriptors that may wait for the end of their packet. If a read brings more
            while others wait, its own are closed, and the packet is told that control messages were
            cut off. None is no limit.
        max_in_read: the same for what one read may bring; by default the size of the buffer is the
            only bound.
        descriptors_end_reads: whether a read ends with the bytes that descriptors were sent with,
            rather than beginning with them.
    """

    def __init__(
        self,
        *,
        max_pending: int | None = 64,
        max_in_read: int | None = None,
        descriptors_end_reads: bool = sys.platform == "linux",
    ) -> None:
        self._max_pending = sys.maxsize if max_pending is None else max_pending
        self._max_in_read = max_in_read
        self._descriptors_end_reads = descriptors_end_reads
        self._received = 0
        self._descriptors: deque[_Descriptors] = deque()
        self._facts: deque[_Facts] = deque()
        self._closed = False
        self.is_waiting = False
        """Whether control messages wait for their packet."""

    def add(self, nbytes: int, messages: Sequence[RawControlMessage], truncated: bool) -> bool:
        """One read of the stream: the number of bytes, and what came with them.

        Takes over the descriptors.

        Returns:
            Whether the next read has to be told as well if it brings none. While nothing waits
            here, positions in the stream do not matter.
        """
        start = self._received
        self._received += nbytes
        if self._closed:
            ReceivedControl(messages).close()
            return False
        facts: list[RawControlMessage] = []
        rights: list[RawControlMessage] = []
        for message in messages:
            (rights if descriptors_in([message]) else facts).append(message)
        if facts and not self._add_facts(_Facts(start, self._received, facts)):
            truncated = True
        if rights or truncated:
            position = self._received if self._descriptors_end_reads else start + min(1, nbytes)
            self._add_descriptors(position, rights, truncated)
        self.is_waiting = bool(self._facts or self._descriptors)
        return self.is_waiting

    def claim(self, unread: int) -> ReceivedControl:
        """All control messages of the packet that has just ended. The caller becomes their owner.

        Args:
            unread: bytes of the stream that were read behind that packet.
        """
        if not self.is_waiting:
            return _NOTHING
        end = self._received - unread
        controls: list[ReceivedControl] = []
        if self._facts:
            controls.append(ReceivedControl(self._claim_facts(end)))
        while self._descriptors and self._descriptors[0].position <= end:
            controls.append(self._descriptors.popleft().control)
        self.is_waiting = bool(self._facts or self._descriptors)
        return ReceivedControl.merged(controls)

    def close(self) -> None:
        """Closes all descriptors that wait, and those that are added later. Safe to repeat."""
        self._closed = True
        self.is_waiting = False
        self._facts.clear()
        while self._descriptors:
            self._descriptors.popleft().control.close()

    def _add_descriptors(self, position: int, messages: list[RawControlMessage], truncated: bool) -> None:
        control = ReceivedControl(messages, truncated=truncated, max_descriptors=self._max_in_read)
        waiting = sum(other.control.descriptors for other in self._descriptors)
        if waiting and waiting + control.descriptors > self._max_pending:
            control.close()
            control = ReceivedControl(truncated=True)
        if control.truncated and self._descriptors and self._descriptors[-1].control.truncated:
            return  # once is enough: a stream is read on only if no packet is complete, so it is the same packet
        self._descriptors.append(_Descriptors(position, control))

    def _add_facts(self, facts: _Facts) -> bool:
        if self._facts and self._facts[-1].messages == facts.messages:
            self._facts[-1].end = facts.end
        elif len(self._facts) < _MAX_FACTS:
            self._facts.append(facts)
        else:
            return False
        return True

    def _claim_facts(self, end: int) -> list[RawControlMessage]:
        messages: dict[RawControlMessage, None] = {}  # as an ordered set
        for facts in self._facts:
            if facts.start < end:
                messages.update(dict.fromkeys(facts.messages))
        while self._facts and self._facts[0].end <= end:
            self._facts.popleft()
        return list(messages)
