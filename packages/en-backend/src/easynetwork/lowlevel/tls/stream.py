# SPDX-License-Identifier: Apache-2.0
"""TLS as a `ByteStream` over a `ByteStream`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from easynetwork.exceptions import BusyResourceError, UnsupportedOperation

from ..fair_lock import FairLock
from ..streams import ByteStream, GetBuffer
from .engine import CIPHERTEXT_SIZE, PLAINTEXT_SIZE, TLSEngine
from .options import TLSOptions

if TYPE_CHECKING:
    from ..api_async.backend.abc import AsyncBackend

__all__ = ("TLSStream",)

_T = TypeVar("_T")


class TLSStream(ByteStream):
    """Made by `handshake`. What it sends and receives costs one record's buffers while that goes on, and nothing while it is idle."""

    def __init__(self, stream: ByteStream, engine: TLSEngine, options: TLSOptions) -> None:
        self._stream = stream
        self._engine = engine
        self._options = options
        self._flush_lock = FairLock(stream.backend())
        self._receiving = False
        self._sending = False
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
            server_hostname: the name that the server's certificate must have; None where the context does not check names.

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

    def backend(self) -> AsyncBackend:
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

    def receive(self, max_bytes: int, deadline: float | None = None) -> Coroutine[Any, Any, bytes]:
        return self._receive(self._engine.read, max_bytes, deadline)

    def receive_into(self, get_buffer: GetBuffer, deadline: float | None = None) -> Coroutine[Any, Any, int]:
        return self._receive(lambda get: self._engine.read_into(get()), get_buffer, deadline)

    async def _receive(self, read: Callable[[Any], _T | None], argument: Any, deadline: float | None) -> _T:
        if self._receiving:
            raise BusyResourceError("another task is receiving from this stream")
        self._receiving = True
        try:
            while True:
                if self.is_closing():
                    raise ConnectionAbortedError("the stream was closed on this side")
                if not self._engine.wants_input:
                    data = read(argument)
                    if self._engine.has_output:  # an answer of the protocol itself, as to a key update
                        await self._flush()
                    if data is not None:
                        return data
                self._engine.feed(await self._stream.receive(CIPHERTEXT_SIZE, deadline))
        finally:
            self._receiving = False

    def interrupt_receive(self, error: Exception) -> None:
        if self._receiving:  # else the one who waits does so for the end of a handshake or of the session
            self._stream.interrupt_receive(error)

    async def send(self, data: bytes | bytearray | memoryview) -> None:
        if self._sending:
            raise BusyResourceError("another task is sending to this stream")
        if self.is_closing():
            raise ConnectionAbortedError("the stream was closed on this side")
        self._sending = True
        try:
            plaintext = memoryview(data)
            for start in range(0, len(plaintext), PLAINTEXT_SIZE):
                self._engine.write(plaintext[start : start + PLAINTEXT_SIZE])
                await self._flush()
        except BaseException:
            self.abort()  # a record that was encrypted and did not leave cannot be left out
            raise
        finally:
            self._sending = False

    async def _flush(self) -> None:
        """Sends what the engine has made. Records must leave in their order, so one task at a time does this."""
        async with self._flush_lock:
            if not self._engine.has_output:
                return
            try:
                await self._stream.send(self._engine.output())
            except BaseException:
                self.abort()
                raise

    async def send_eof(self) -> None:
        raise UnsupportedOperation("TLS cannot end one direction alone; close the stream instead")

    async def aclose(self) -> None:
        if self._closing:
            await self._stream.aclose()
            return
        self._closing = True
        try:
            with self.backend().move_on_after(self._options.shutdown_timeout) as scope, contextlib.suppress(OSError):
                await self._say_goodbye()
            with self.backend().move_on_after(0 if scope.cancelled_caught() else self._options.shutdown_timeout):
                await self._stream.aclose()
        except BaseException:
            with self.backend().move_on_after(0):
                await self._stream.aclose()
            raise

    async def _say_goodbye(self) -> None:
        if self._options.standard_compatible and not self._receiving:
            await self._until_done(self._engine.close)
        else:  # a task that receives would get the answer; closing the stream below is what wakes it
            self._engine.close()
            await self._flush()

    def abort(self) -> None:
        self._closing = True
        self._stream.abort()
