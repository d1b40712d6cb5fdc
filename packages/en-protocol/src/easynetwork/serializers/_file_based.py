# SPDX-License-Identifier: Apache-2.0
"""Serializers over parsers that read from a file object."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator
from io import BytesIO
from typing import IO, Any, TypeVar

from easynetwork.exceptions import (
    DeserializeError,
    FrameBoundaryLostError,
    IncrementalDeserializeError,
    LimitOverrunError,
)

from ._errors import bad_data
from ._plain import PlainBufferSerializer
from ._validation import DEFAULT_LIMIT, check_exception_types, check_positive_int

__all__ = ("FileBasedPacketSerializer",)

_SentT_contra = TypeVar("_SentT_contra", contravariant=True)
_ReceivedT_co = TypeVar("_ReceivedT_co", covariant=True)


class FileBasedPacketSerializer(PlainBufferSerializer[_SentT_contra, _ReceivedT_co]):
    """For parsers that read a packet from a file object and stop right behind it.

    The parser starts again from the beginning of the packet with each chunk, because its state
    cannot be kept: a packet in many small chunks costs the square of its length, which `limit`
    bounds. If a packet's end can be found without parsing, derive from `FramedPacketSerializer` as
    well, as the CBOR and MessagePack serializers do.

    Bad data ends the stream, because where the next packet starts is then unknown; a parser that
    knows raises `IncrementalDeserializeError` with the bytes that remain.

    Args:
        expected_load_error: What `load_from_file` raises for bad data. ``EOFError`` always means
            incomplete data.
        limit: The greatest length of a packet in bytes.
        debug: Put data into the ``error_info`` of errors.
        kwargs: Passed on to the next class of a multiple inheritance.
    """

    def __init__(
        self,
        expected_load_error: type[Exception] | tuple[type[Exception], ...],
        *,
        limit: int = DEFAULT_LIMIT,
        debug: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._expected_load_error = check_exception_types("expected_load_error", expected_load_error)
        self._limit = check_positive_int("limit", limit)
        self._debug = bool(debug)

    @abstractmethod
    def dump_to_file(self, packet: _SentT_contra, file: IO[bytes], /) -> None:
        """Write the bytes of a packet."""

    @abstractmethod
    def load_from_file(self, file: IO[bytes], /) -> _ReceivedT_co:
        """Read one packet, and no byte more.

        Raises:
            EOFError: The file ends inside the packet.
            Exception: Of the type `expected_load_error`: the data is bad.
        """

    def serialize(self, packet: _SentT_contra, /) -> bytes:
        with BytesIO() as file:
            self.dump_to_file(packet, file)
            return file.getvalue()

    def deserialize(self, data: bytes, /) -> _ReceivedT_co:
        file = BytesIO(data)
        try:
            packet = self.load_from_file(file)
        except DeserializeError:
            raise
        except EOFError as exc:
            raise DeserializeError("Missing data: the packet is incomplete", self._error_info(data)) from exc
        except self._expected_load_error as exc:
            raise bad_data("data", data, exc, self._debug) from (exc if self._debug else None)
        if file.tell() < len(data):
            raise DeserializeError("Extra data: there are bytes after the packet", self._error_info(data))
        return packet

    def incremental_serialize(self, packet: _SentT_contra, /) -> Generator[bytes, None, None]:
        yield self.serialize(packet)

    def incremental_deserialize(self) -> Generator[None, bytes, tuple[_ReceivedT_co, bytes]]:
        with BytesIO() as file:
            while True:
                file.write((yield))
                size = file.tell()
                file.seek(0)
                try:
                    packet = self.load_from_file(file)
                except IncrementalDeserializeError:
                    raise
                except EOFError:
                    # The parser may have skipped forward.
                    file.seek(size)
                except self._expected_load_error as exc:
                    raise self._boundary_lost(file.getvalue(), exc) from (exc if self._debug else None)
                else:
                    size = file.tell()
                    self._check_limit(size)
                    return packet, file.read()
                self._check_limit(size)

    @property
    def buffer_limit(self) -> int:
        """The greatest length of a packet in bytes."""
        return self._limit

    @property
    def debug(self) -> bool:
        """Whether errors carry data in their ``error_info``."""
        return self._debug

    def _check_limit(self, size: int) -> None:
        if size > self._limit:
            raise LimitOverrunError(f"The packet is longer than the limit of {self._limit} bytes", b"", 0)

    def _boundary_lost(self, data: bytes, exc: Exception) -> FrameBoundaryLostError:
        error = bad_data("data", data, exc, self._debug)
        return FrameBoundaryLostError(str(error), error.error_info)

    def _error_info(self, data: bytes) -> dict[str, bytes] | None:
        return {"data": data} if self._debug else None
