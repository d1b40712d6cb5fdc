# SPDX-License-Identifier: Apache-2.0
"""How threads leave what carries a client's packets, whatever that is."""

from __future__ import annotations

import socket as _socket
from abc import ABCMeta, abstractmethod

__all__ = ("BlockingTransport",)


class BlockingTransport(metaclass=ABCMeta):
    """One thread may receive while another sends, and a third one interrupts both.

    Deadlines are times of the monotonic clock, `math.inf` for none. Past ones take what can be had
    without waiting.
    """

    @property
    @abstractmethod
    def socket(self) -> _socket.socket: ...

    @abstractmethod
    def finish(self, *, wait: bool) -> None:
        """Ends the connection as the transport does it (TLS: ``close_notify``), and waits until the
        peer has everything. Never raises.

        Threads may be receiving, but none sending. A peer that takes nothing for the shutdown time
        will see a reset.

        Args:
            wait: whether the peer's own ``close_notify`` (TLS) is waited for; no thread may be
                receiving then.
        """

    @abstractmethod
    def break_off(self) -> None:
        """Lets nothing be sent or received any more, and makes `close` reset the connection.

        Never raises.
        """

    @abstractmethod
    def interrupt(self) -> None:
        """Makes threads that wait in the transport raise at once.

        Nothing can be sent or received after it.

        Never raises.
        """

    @abstractmethod
    def close(self) -> None:
        """Closes the socket at once. No other thread may be in the transport. Never raises."""

    def abort(self) -> None:
        """Closes the socket with a reset. No other thread may be in the transport."""
        self.break_off()
        self.close()
