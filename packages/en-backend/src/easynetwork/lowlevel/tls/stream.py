# SPDX-License-Identifier: Apache-2.0
"""TLS as a `ByteStream` over a `ByteStream`."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Generator, Iterable, Mapping
from types import coroutine
from typing import TYPE_CHECKING, Any

from easynetwork.exceptions import BusyResourceError, UnsupportedOperation

from ..streams import ByteStream
from .engine import CIPHERTEXT_SIZE, PLAINTEXT_SIZE, TLSEngine
from .options import TLSOptions

if TYPE_CHECKING:
    from ..api_async.backend._runtime import Runtime

__all__ = ("TLSStream",)


class TLSStream(ByteStream):
    """Made by `handshake`.

    What it sends and receives costs one record's buffers while that goes on, and nothing while it
    is idle.
    """

    def __init__(self, stream: ByteStream, engine: TLSEngine, options: TLSOptions) -> None:
        self._stream = stream
        self._engine = engine
        self._options = options
        self._has_reader = False  # a task that waits until it can receive more
        self._output = b""  # records for which there was no room
        self._begun = 0  # bytes of plaintext in them that no send_nowait() has counted yet
        self._closing = False

    @classmethod
    async def handshake(
        cls,
        stream: ByteStream,
        options: TLSOptions,
        *,
        server_side: bool,
        server_hostname: str | None = None,
    ) -> TLSStream:
        """Makes ``stream`` secure. If this fails or is cancelled, ``stream`` has been aborted.

        Args:
            server_hostname: the name that the server's certificate must have; None where the
                context does not check names.

        Raises:
            TimeoutError: it took longer than ``options.handshake_timeout``.
            ssl.SSLError: the peers could not agree, or a certificate was refused.
            ConnectionError: the connection ended or was lost.
        """
        try:
            engine = TLSEngine(
                options.context,
                server_side=server_side,
                server_hostname=server_hostname,
                standard_compatible=options.standard_compatible,
            )
            tls = cls(stream, engine, options)
            await tls._shake_hands(stream.backend().current_time() + options.handshake_timeout)
        except BaseException:
            stream.abort()
            raise
        return tls

    async def _shake_hands(self, deadline: float) -> None:
        with self._stream.backend().timeout_at(deadline):
            try:
                await self._until_done(self._engine.handshake)
            except OSError:
                with contextlib.suppress(OSError):
                    await self._flush()  # the alert tells the peer why, if no reset overtakes it
                    await self._stream.aclose()
                raise

    async def _until_done(self, operation: Callable[[], bool | None]) -> None:
        while not operation():
            await self._flush()
            self._engine.feed(await self._stream.receive(CIPHERTEXT_SIZE))
        await self._flush()

    def backend(self) -> Runtime:
        return self._stream.backend()

    def is_closing(self) -> bool:
        return self._closing or self._stream.is_closing()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return {**self._stream.extra_attributes, **self._engine.extra_attributes}

    @property
    def send_timeout(self) -> float:
        return self._stream.send_timeout

    @send_timeout.setter
    def send_timeout(self, seconds: float) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]  # the limit is that of the stream below
        self._stream.send_timeout = seconds

    def receive_nowait(self, max_bytes: int) -> bytes | None:
        self._check_open()
        data = self._read(max_bytes)
        if data is None and (ciphertext := self._stream.receive_nowait(CIPHERTEXT_SIZE)) is not None:
            self._engine.feed(ciphertext)
            data = self._read(max_bytes)
        return data

    def _read(self, max_bytes: int) -> bytes | None:
        if self._engine.wants_input:
            return None
        data = self._engine.read(max_bytes)
        if self._engine.has_output:  # an answer of the protocol itself, as to a key update
            self._flush_nowait()  # what the kernel has no room for leaves with the next that is sent
        return data

    def until_readable(self, deadline: float | None = None) -> Iterable[Any]:
        self._check_open()
        return self._until_readable(deadline) if self._engine.wants_input else ()

    def _until_readable(self, deadline: float | None) -> Generator[Any, Any, None]:
        if self._has_reader:
            raise BusyResourceError("another task is receiving from this stream")
        self._has_reader = True
        try:
            yield from self._stream.until_readable(deadline)
        finally:
            self._has_reader = False

    def interrupt_receive(self, error: Exception) -> None:
        if self._has_reader:  # else the one who waits does so for the end of a handshake or of the session
            self._stream.interrupt_receive(error)

    def send_nowait(self, data: bytes | bytearray | memoryview) -> int:
        self._check_open()
        if self._has_sender or not self._flush_nowait():
            return 0
        sent, self._begun = self._begun, 0
        plaintext = memoryview(data)
        while sent < len(plaintext):
            piece = plaintext[sent : sent + PLAINTEXT_SIZE]
            self._engine.write(piece)
            if not self._flush_nowait():
                self._begun = len(piece)
                break
            sent += len(piece)
        return sent

    @property
    def has_begun_record(self) -> bool:
        return self._begun > 0

    def until_writable(self) -> Iterable[Any]:
        self._check_open()
        return self._stream.until_writable()

    def _flush_nowait(self) -> bool:
        """Sends what the engine has made, as far as there is room; tells whether that was all.

        Records leave in the order in which they were made.
        """
        output = self._output + self._engine.output() if self._output else self._engine.output()
        if output:
            try:
                sent = self._stream.send_nowait(output)
            except BaseException:
                self.abort()
                raise
            self._output = output[sent:]
        return not self._output

    @coroutine
    def _flush(self) -> Generator[Any, Any, None]:
        try:
            while not self._flush_nowait():
                yield from self._stream.until_writable()
        except BaseException:
            self.abort()  # a record that was encrypted and did not leave cannot be left out
            raise

    def _check_open(self) -> None:
        if self.is_closing():
            raise ConnectionAbortedError(errno.ECONNABORTED, "the stream was closed on this side")

    async def send_eof(self) -> None:
        raise UnsupportedOperation("TLS cannot end one direction alone; close the stream instead")

    async def aclose(self) -> None:
        if self._closing:
            await self._stream.aclose()
            return
        self._closing = True
        try:
            with self.backend().move_on_after(self._options.shutdown_timeout) as scope, contextlib.suppress(OSError):
                await self._send_close_notify()
            with self.backend().move_on_after(0 if scope.cancelled_caught() else self._options.shutdown_timeout):
                await self._stream.aclose()
        except BaseException:
            with self.backend().move_on_after(0):
                await self._stream.aclose()
            raise

    async def _send_close_notify(self) -> None:
        if self._options.standard_compatible and not self._has_reader:
            await self._until_done(self._engine.close)
        else:  # a task that receives would get the answer; closing the stream below is what wakes it
            self._engine.close()
            await self._flush()

    def abort(self) -> None:
        self._closing = True
        self._stream.abort()
