# SPDX-License-Identifier: Apache-2.0
"""TLS for threads.

`ssl.SSLSocket` is not used: OpenSSL must not be called by a thread that sends while another
receives. Here the engine, which never waits, has a lock of its own, and the waiting happens outside
of it.
"""

from __future__ import annotations

import contextlib
import socket as _socket
import threading
import time
from collections.abc import Callable

from easynetwork.exceptions import UnsupportedOperation
from easynetwork.lowlevel.tls import TLSEngine, TLSOptions
from easynetwork.lowlevel.tls.engine import CIPHERTEXT_SIZE, PLAINTEXT_SIZE

from ._blocking_stream import BlockingByteStream

__all__ = ("BlockingTLSStream",)


class BlockingTLSStream(BlockingByteStream):
    """Made by `handshake`."""

    def __init__(self, stream: BlockingByteStream, engine: TLSEngine, options: TLSOptions) -> None:
        self._stream = stream
        self._engine = engine
        self._options = options
        self._engine_lock = threading.Lock()
        self._output_lock = threading.Lock()  # records leave in the order in which they were made

    @classmethod
    def handshake(
        cls, stream: BlockingByteStream, options: TLSOptions, server_hostname: str | None
    ) -> BlockingTLSStream:
        """Makes ``stream`` secure. If this fails, ``stream`` has been aborted.

        Raises:
            TimeoutError: it took longer than ``options.handshake_timeout``.
            ssl.SSLError: the peers could not agree, or the certificate was refused.
            ConnectionError: the connection ended or was lost.
        """
        try:
            engine = TLSEngine(
                options.context,
                server_side=False,
                server_hostname=server_hostname,
                standard_compatible=options.standard_compatible,
            )
            tls = cls(stream, engine, options)
            tls._until_done(engine.handshake, time.monotonic() + options.handshake_timeout)
        except BaseException:
            stream.abort()
            raise
        return tls

    def _until_done(self, operation: Callable[[], bool | None], deadline: float) -> None:
        try:
            while not operation():
                self._flush(deadline)
                self._engine.feed(self._stream.receive(CIPHERTEXT_SIZE, deadline))
        finally:
            with contextlib.suppress(OSError):
                self._flush(deadline)  # after an error, the alert that tells the peer why

    @property
    def engine(self) -> TLSEngine:
        return self._engine

    @property
    def socket(self) -> _socket.socket:
        return self._stream.socket

    def receive(self, max_bytes: int, deadline: float) -> bytes:
        while True:
            with self._engine_lock:
                data = None if self._engine.wants_input else self._engine.read(max_bytes)
                answers = self._engine.has_output
            # They are of the protocol itself, as to a key update. A thread that sends will take
            # them along.
            if answers and not self._output_lock.locked():
                self._flush(deadline)
            if data is not None:
                return data
            ciphertext = self._stream.receive(CIPHERTEXT_SIZE, deadline)
            with self._engine_lock:
                self._engine.feed(ciphertext)

    def send(self, data: bytes, deadline: float) -> None:
        plaintext = memoryview(data)
        for start in range(0, len(plaintext), PLAINTEXT_SIZE):
            self._send_output(deadline, plaintext[start : start + PLAINTEXT_SIZE])

    def _flush(self, deadline: float) -> None:
        self._send_output(deadline, memoryview(b""))

    def _send_output(self, deadline: float, plaintext: memoryview) -> None:
        with self._output_lock:
            # Encrypted and taken at once: a receiving thread must not find these records and send
            # them with its own deadline.
            with self._engine_lock:
                if plaintext:
                    self._engine.write(plaintext)
                records = self._engine.output()
            try:
                self._stream.send(records, deadline)
            except BaseException:
                self._stream.break_off()  # a record that was made and did not leave cannot be left out
                raise

    def send_eof(self) -> None:
        raise UnsupportedOperation("TLS cannot end one direction alone; close the client instead")

    def finish(self, *, wait: bool) -> None:
        deadline = time.monotonic() + self._options.shutdown_timeout
        with contextlib.suppress(OSError):
            if wait and self._options.standard_compatible:
                self._until_done(self._engine.close, deadline)
            else:
                with self._engine_lock:
                    self._engine.close()
                self._flush(deadline)
        self._stream.finish(wait=wait)

    def break_off(self) -> None:
        self._stream.break_off()

    def interrupt(self) -> None:
        self._stream.interrupt()

    def close(self) -> None:
        self._stream.close()
