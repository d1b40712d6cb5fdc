# SPDX-License-Identifier: Apache-2.0
"""A connected stream socket for threads. The asynchronous sibling is `easynetwork.lowlevel.streams.ByteStream`."""

from __future__ import annotations

import contextlib
import errno
import math
import select
import socket as _socket
import time
from abc import ABCMeta, abstractmethod
from collections.abc import Callable

from easynetwork.lowlevel.closing import Delivery, reset_on_close
from easynetwork.lowlevel.socket_errors import stream_error

from ._time_limits import LONGEST_POLL, remaining

__all__ = ("BlockingByteStream", "BlockingSocketStream")


class BlockingByteStream(metaclass=ABCMeta):
    """Bytes both ways; one thread may receive while another sends, and a third one interrupts both.

    Deadlines are times of the monotonic clock, `math.inf` for none. Past ones take what can be had without waiting.
    """

    @property
    @abstractmethod
    def socket(self) -> _socket.socket: ...

    @abstractmethod
    def receive(self, max_bytes: int, deadline: float) -> bytes:
        """Waits for data; ``b""`` is the peer's orderly end. One that times out has taken nothing.

        Raises:
            TimeoutError: nothing came before the deadline.
            ConnectionError: the connection is lost, or was interrupted.
        """

    @abstractmethod
    def send(self, data: bytes, deadline: float) -> None:
        """Sends all of ``data``. If it fails after a part has left, the connection is broken off.

        Raises:
            TimeoutError: not all could be sent before the deadline.
            ConnectionError: the connection is lost, or was interrupted.
        """

    @abstractmethod
    def send_eof(self) -> None:
        """Ends the sending direction.

        Raises:
            UnsupportedOperation: it cannot be ended alone (TLS).
        """

    @abstractmethod
    def finish(self, *, wait: bool) -> None:
        """Says goodbye in the words of the stream, and waits until the peer has everything. Never raises.

        Threads may be receiving, but none sending. A peer that takes nothing for the shutdown time will see a reset.

        Args:
            wait: whether the peer's own goodbye (TLS) is waited for; no thread may be receiving then.
        """

    @abstractmethod
    def break_off(self) -> None:
        """Lets nothing be sent or received any more, and makes `close` reset the connection. Never raises."""

    @abstractmethod
    def interrupt(self) -> None:
        """Makes threads that wait in the stream raise at once. Nothing can be sent or received after it.

        Never raises.
        """

    @abstractmethod
    def close(self) -> None:
        """Closes the socket at once. No other thread may be in the stream."""

    def abort(self) -> None:
        """Closes the socket with a reset. No other thread may be in the stream."""
        self.break_off()
        self.close()


class BlockingSocketStream(BlockingByteStream):
    """The plain one.

    Args:
        sock: a connected socket, owned from now on.
        longest_wait: seconds after which a waiting thread looks for itself, should the system have failed to wake it.
    """

    def __init__(self, sock: _socket.socket, longest_wait: float) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._longest_wait = min(longest_wait, LONGEST_POLL)
        self._interrupted = False

    @property
    def socket(self) -> _socket.socket:
        return self._socket

    def receive(self, max_bytes: int, deadline: float) -> bytes:
        while True:
            self._check_usable()
            try:
                data = self._socket.recv(max_bytes)
            except (BlockingIOError, InterruptedError):
                self._wait(_wait_readable, deadline)
            except OSError as exc:
                raise stream_error(exc) from None
            else:
                if not data:
                    self._check_usable()  # an end that is ours looks like the peer's
                return data

    def send(self, data: bytes, deadline: float) -> None:
        left = memoryview(data)
        try:
            while left:
                self._check_usable()
                try:
                    left = left[self._socket.send(left) :]
                except (BlockingIOError, InterruptedError):
                    self._wait(_wait_writable, deadline)
                except OSError as exc:
                    raise stream_error(exc) from None
        except BaseException:
            if len(left) < len(data):
                self.break_off()  # the peer has a fragment, and nothing may follow it
            raise

    def _check_usable(self) -> None:
        if self._interrupted:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the connection was broken off on this side")

    def _wait(self, wait: Callable[[_socket.socket, float], None], deadline: float) -> None:
        left = remaining(deadline)
        if left == 0:
            raise TimeoutError(errno.ETIMEDOUT, "timed out")
        wait(self._socket, self._longest_wait if left is None else min(left, self._longest_wait))

    def send_eof(self) -> None:
        self._check_usable()
        try:
            self._socket.shutdown(_socket.SHUT_WR)
        except OSError as exc:
            raise stream_error(exc) from None

    def finish(self, *, wait: bool) -> None:
        if self._interrupted:
            return
        # Threads that receive go on meanwhile: if the receiving side were shut down to wake them, more input would make the
        # kernel reset the connection before the peer has everything.
        delivery = Delivery(self._socket, time.monotonic())
        try:
            while (pause := delivery.pause(time.monotonic())) is not None:
                time.sleep(pause)
        finally:
            if not delivery.complete:
                reset_on_close(self._socket)

    def break_off(self) -> None:
        reset_on_close(self._socket)
        # The sending side stays open until the reset, because the peer must not take a fragment for the whole.
        self._shut_down(_socket.SHUT_RD)

    def interrupt(self) -> None:
        self._shut_down(_socket.SHUT_RDWR)

    def _shut_down(self, how: int) -> None:
        self._interrupted = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(how)  # wakes poll() in other threads

    def close(self) -> None:
        self._socket.close()


if hasattr(select, "poll"):

    def _wait_readable(sock: _socket.socket, seconds: float) -> None:
        _poll(sock, select.POLLIN, seconds)

    def _wait_writable(sock: _socket.socket, seconds: float) -> None:
        _poll(sock, select.POLLOUT, seconds)

    def _poll(sock: _socket.socket, events: int, seconds: float) -> None:
        poller = select.poll()
        poller.register(sock, events)
        poller.poll(math.ceil(seconds * 1000))
else:

    def _wait_readable(sock: _socket.socket, seconds: float) -> None:
        select.select([sock], [], [], seconds)

    def _wait_writable(sock: _socket.socket, seconds: float) -> None:
        select.select([], [sock], [sock], seconds)
