# SPDX-License-Identifier: Apache-2.0
"""Compressed packets.

A few bytes of a peer can inflate to gigabytes. So the output is bounded as well as the input,
decompressors are called with `max_length`, and what is over the bound is never inflated.
"""

from __future__ import annotations

import bz2
import zlib
from abc import abstractmethod
from collections.abc import Generator
from typing import Any, Protocol, TypeVar

from easynetwork.exceptions import (
    DeserializeError,
    FrameBoundaryLostError,
    IncrementalDeserializeError,
    LimitOverrunError,
)

from .._errors import bad_data
from .._plain import PlainBufferSerializer
from .._validation import DEFAULT_LIMIT, check_exception_types, check_instance, check_positive_int
from ..abc import AbstractPacketSerializer
from ..framing import frame_error

__all__ = (
    "AbstractCompressorSerializer",
    "BZ2CompressorSerializer",
    "CompressorInterface",
    "DecompressorInterface",
    "ZlibCompressorSerializer",
)

_SentT_contra = TypeVar("_SentT_contra", contravariant=True)
_ReceivedT_co = TypeVar("_ReceivedT_co", covariant=True)

DEFAULT_MAX_DECOMPRESSED_SIZE = 1024 * 1024

_PIECE = 4096
"""How many bytes a decompressor gets at once: it copies what is behind its end."""


class CompressorInterface(Protocol):
    """What `zlib.compressobj` and the like return."""

    @abstractmethod
    def compress(self, data: bytes, /) -> bytes:
        """Return some of the compressed bytes."""

    @abstractmethod
    def flush(self) -> bytes:
        """Return the rest of them."""


class DecompressorInterface(Protocol):
    """What `zlib.decompressobj` and the like return."""

    @abstractmethod
    def decompress(self, data: bytes, /, max_length: int) -> bytes:
        """Return at most `max_length` bytes of output; fewer only if all of `data` has been used
        up.
        """

    @property
    @abstractmethod
    def eof(self) -> bool:
        """Whether the end of the compressed data has been reached."""

    @property
    @abstractmethod
    def unused_data(self) -> bytes:
        """The bytes behind that end."""


class AbstractCompressorSerializer(PlainBufferSerializer[_SentT_contra, _ReceivedT_co]):
    """Compresses the bytes of another serializer.

    Args:
        serializer: The serializer inside.
        expected_decompress_error: What the decompressor raises for bad data.
        limit: The greatest length in bytes of a compressed packet in a stream.
        max_decompressed_size: The greatest length in bytes of the packet inside.
        debug: Put data into the ``error_info`` of errors.
    """

    def __init__(
        self,
        serializer: AbstractPacketSerializer[_SentT_contra, _ReceivedT_co],
        expected_decompress_error: type[Exception] | tuple[type[Exception], ...],
        *,
        limit: int = DEFAULT_LIMIT,
        max_decompressed_size: int = DEFAULT_MAX_DECOMPRESSED_SIZE,
        debug: bool = False,
    ) -> None:
        super().__init__()
        check_instance("serializer", serializer, AbstractPacketSerializer)
        self._serializer = serializer
        self._expected_error = check_exception_types("expected_decompress_error", expected_decompress_error)
        self._limit = check_positive_int("limit", limit)
        self._max_decompressed_size = check_positive_int("max_decompressed_size", max_decompressed_size)
        self._debug = bool(debug)

    @abstractmethod
    def new_compressor_stream(self) -> CompressorInterface:
        """Make a compressor for one packet."""

    @abstractmethod
    def new_decompressor_stream(self) -> DecompressorInterface:
        """Make a decompressor for one packet."""

    def serialize(self, packet: _SentT_contra, /) -> bytes:
        compressor = self.new_compressor_stream()
        return compressor.compress(self._serializer.serialize(packet)) + compressor.flush()

    def incremental_serialize(self, packet: _SentT_contra, /) -> Generator[bytes, None, None]:
        yield self.serialize(packet)

    def deserialize(self, data: bytes, /) -> _ReceivedT_co:
        """
        Raises:
            DeserializeError: The data is bad, incomplete, or too long; it would inflate to more
                than `max_decompressed_size`; or the serializer inside refuses what is in it.
        """
        decompressor = self.new_decompressor_stream()
        output = bytearray()
        self._inflate(decompressor, data, output)
        if not decompressor.eof:
            raise DeserializeError("Missing data: the compressed packet is incomplete", self._error_info(data))
        if decompressor.unused_data:
            raise DeserializeError("Extra data: there are bytes after the compressed packet", self._error_info(data))
        return self._serializer.deserialize(bytes(output))

    def incremental_deserialize(self) -> Generator[None, bytes, tuple[_ReceivedT_co, bytes]]:
        decompressor = self.new_decompressor_stream()
        output = bytearray()
        consumed = bytearray()
        chunk = memoryview(b"")
        while not decompressor.eof:
            if not chunk:
                chunk = memoryview((yield))
            room = self._limit - len(consumed)
            if not room:
                raise LimitOverrunError(
                    f"The compressed packet is longer than the limit of {self._limit} bytes", b"", 0
                )
            piece = bytes(chunk[: min(room, _PIECE)])
            chunk = chunk[len(piece) :]
            try:
                self._inflate(decompressor, piece, output)
            except LimitOverrunError:
                raise
            except DeserializeError as exc:
                raise self._first_fault(exc, bytes(consumed), piece) from exc.__cause__
            consumed += piece
        remaining = decompressor.unused_data + chunk
        try:
            return self._serializer.deserialize(bytes(output)), remaining
        except DeserializeError as exc:
            raise frame_error(exc, remaining)  # noqa: B904 - it brings its own cause

    @property
    def debug(self) -> bool:
        """Whether errors carry data in their ``error_info``."""
        return self._debug

    def _inflate(self, decompressor: DecompressorInterface, data: bytes, output: bytearray) -> None:
        room = self._max_decompressed_size - len(output)
        try:
            # One byte over the bound tells an output that is too long from one that just fits.
            output += decompressor.decompress(data, max_length=room + 1)
        except self._expected_error as exc:
            raise bad_data("compressed data", data, exc, self._debug) from (exc if self._debug else None)
        if len(output) > self._max_decompressed_size:
            raise LimitOverrunError(f"The packet inflates to more than {self._max_decompressed_size} bytes", b"", 0)

    def _first_fault(self, error: DeserializeError, consumed: bytes, piece: bytes) -> IncrementalDeserializeError:
        # What a decompressor has inflated before it raises is lost, and may have been too much
        # already. Bytes tell one after the other which of the two faults came first, so that it
        # does not depend on the chunks.
        decompressor, output = self.new_decompressor_stream(), bytearray()
        try:
            for data in (consumed, *(piece[index : index + 1] for index in range(len(piece)))):
                self._inflate(decompressor, data, output)
        except LimitOverrunError as overrun:
            return overrun
        except DeserializeError:
            pass
        return FrameBoundaryLostError(str(error), error.error_info)

    def _error_info(self, data: bytes) -> dict[str, Any] | None:
        return {"data": data} if self._debug else None


class ZlibCompressorSerializer(AbstractCompressorSerializer[_SentT_contra, _ReceivedT_co]):
    """Compresses with `zlib`.

    Args:
        serializer: The serializer inside.
        compress_level: 0 to 9, see `zlib.compress`; the greatest if not given.
        limit: The greatest length in bytes of a compressed packet in a stream.
        max_decompressed_size: The greatest length in bytes of the packet inside.
        debug: Put data into the ``error_info`` of errors.
    """

    def __init__(
        self,
        serializer: AbstractPacketSerializer[_SentT_contra, _ReceivedT_co],
        *,
        compress_level: int | None = None,
        limit: int = DEFAULT_LIMIT,
        max_decompressed_size: int = DEFAULT_MAX_DECOMPRESSED_SIZE,
        debug: bool = False,
    ) -> None:
        super().__init__(serializer, zlib.error, limit=limit, max_decompressed_size=max_decompressed_size, debug=debug)
        self._compress_level = _check_level(zlib.Z_BEST_COMPRESSION if compress_level is None else compress_level, 0)

    def new_compressor_stream(self) -> CompressorInterface:
        return zlib.compressobj(self._compress_level)

    def new_decompressor_stream(self) -> DecompressorInterface:
        return zlib.decompressobj()


class BZ2CompressorSerializer(AbstractCompressorSerializer[_SentT_contra, _ReceivedT_co]):
    """Compresses with `bz2`.

    Args:
        serializer: The serializer inside.
        compress_level: 1 to 9, see `bz2.compress`; the greatest if not given.
        limit: The greatest length in bytes of a compressed packet in a stream.
        max_decompressed_size: The greatest length in bytes of the packet inside.
        debug: Put data into the ``error_info`` of errors.
    """

    def __init__(
        self,
        serializer: AbstractPacketSerializer[_SentT_contra, _ReceivedT_co],
        *,
        compress_level: int | None = None,
        limit: int = DEFAULT_LIMIT,
        max_decompressed_size: int = DEFAULT_MAX_DECOMPRESSED_SIZE,
        debug: bool = False,
    ) -> None:
        super().__init__(serializer, OSError, limit=limit, max_decompressed_size=max_decompressed_size, debug=debug)
        self._compress_level = _check_level(9 if compress_level is None else compress_level, 1)

    def new_compressor_stream(self) -> CompressorInterface:
        return bz2.BZ2Compressor(self._compress_level)

    def new_decompressor_stream(self) -> DecompressorInterface:
        return bz2.BZ2Decompressor()


def _check_level(level: int, lowest: int) -> int:
    if not lowest <= level <= 9:
        raise ValueError(f"compress_level: expected a number between {lowest} and 9, got {level!r}")
    return level
