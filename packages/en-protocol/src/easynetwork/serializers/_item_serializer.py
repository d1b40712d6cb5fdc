# SPDX-License-Identifier: Apache-2.0
"""The common part of the CBOR and MessagePack serializers."""

from __future__ import annotations

from abc import abstractmethod
from typing import IO, Any, ClassVar

from easynetwork.exceptions import DeserializeError, IncrementalDeserializeError, LimitOverrunError

from ._errors import bad_data
from ._file_based import FileBasedPacketSerializer
from ._item_framer import ItemFramer
from .framing import FramedPacketSerializer, Framer

__all__ = ("ItemSerializer",)


class ItemSerializer(FramedPacketSerializer[Any, Any], FileBasedPacketSerializer[Any, Any]):
    """Cuts a frame out with an `ItemFramer`, then has a library read it."""

    _format: ClassVar[str]

    def __init__(self, *, limit: int, debug: bool) -> None:
        super().__init__(expected_load_error=Exception, limit=limit, debug=debug)

    @abstractmethod
    def _create_item_framer(self, limit: int) -> ItemFramer:
        """Make the framer for this format."""

    @abstractmethod
    def _loads(self, data: bytes) -> Any:
        """Have the library read one item."""

    def load_from_file(self, file: IO[bytes], /) -> Any:
        """Read the packet that is all there is in the file."""
        return self._loads(file.read())

    def create_framer(self) -> Framer:
        return self._create_item_framer(self._limit)

    def serialize(self, packet: Any, /) -> bytes:
        return FileBasedPacketSerializer.serialize(self, packet)  # pyright: ignore[reportUnknownMemberType]  # of the class itself

    def deserialize(self, data: bytes, /) -> Any:
        try:
            end = self._create_item_framer(max(len(data), 1)).find_end(data, 0, len(data))
        except LimitOverrunError:
            end = -1  # more is announced than there is
        except IncrementalDeserializeError as exc:
            raise DeserializeError(str(exc), self._error_info(data)) from None
        if end < 0:
            raise DeserializeError("Missing data: the packet is incomplete", self._error_info(data))
        if end < len(data):
            raise DeserializeError("Extra data: there are bytes after the packet", self._error_info(data))
        return self.deserialize_frame(data)

    def deserialize_frame(self, data: bytes, /) -> Any:
        try:
            return self._loads(data)
        except Exception as exc:
            raise bad_data(self._format, data, exc, self._debug) from (exc if self._debug else None)
