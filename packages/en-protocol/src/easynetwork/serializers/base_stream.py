# SPDX-License-Identifier: Apache-2.0
"""Base classes for serializers of streams. Derive from the one that fits how your packets end."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeVar

from ._file_based import FileBasedPacketSerializer
from ._validation import DEFAULT_LIMIT, check_positive_int, check_separator
from .framing import FixedSizeFramer, FramedPacketSerializer, SeparatorFramer

__all__ = ("AutoSeparatedPacketSerializer", "FileBasedPacketSerializer", "FixedSizePacketSerializer")

_SentT_contra = TypeVar("_SentT_contra", contravariant=True)
_ReceivedT_co = TypeVar("_ReceivedT_co", covariant=True)


def strip_separators(data: bytes, separator: bytes) -> bytes:
    """Remove all separators from the end.

    Cutting them off one by one would copy the data for each.
    """
    end = len(data)
    while data.endswith(separator, 0, end):
        end -= len(separator)
    return data[:end]


class AutoSeparatedPacketSerializer(FramedPacketSerializer[_SentT_contra, _ReceivedT_co]):
    """Packets end with a separator, which `serialize` does not add and `deserialize` does not get.

    Args:
        separator: What ends a packet in a stream.
        incremental_serialize_check_separator: Strip separators from the end of a serialized packet,
            and refuse packets with one inside. Switch it off only if `serialize` cannot produce the
            separator.
        limit: The greatest length in bytes of a packet without its separator.
        debug: Put data into the ``error_info`` of errors.
        kwargs: Passed on to the next class of a multiple inheritance.
    """

    def __init__(
        self,
        separator: bytes,
        *,
        incremental_serialize_check_separator: bool = True,
        limit: int = DEFAULT_LIMIT,
        debug: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._separator = check_separator(separator)
        self._limit = check_positive_int("limit", limit)
        self._check_separator = bool(incremental_serialize_check_separator)
        self._debug = bool(debug)

    @abstractmethod
    def serialize(self, packet: _SentT_contra, /) -> bytes:
        raise NotImplementedError

    @abstractmethod
    def deserialize(self, data: bytes, /) -> _ReceivedT_co:
        raise NotImplementedError

    def serialize_frame(self, packet: _SentT_contra, /) -> bytes:
        """
        Raises:
            ValueError: The separator stands inside the serialized packet: the peer would see two
                packets.
        """
        data = self.serialize(packet)
        separator = self._separator
        if self._check_separator:
            data = strip_separators(data, separator)
            if separator in data:
                raise ValueError(f"The separator {separator!r} stands inside the serialized packet")
        return data + separator

    def create_framer(self) -> SeparatorFramer:
        return SeparatorFramer(self._separator, self._limit)

    @property
    def separator(self) -> bytes:
        """What ends a packet."""
        return self._separator

    @property
    def buffer_limit(self) -> int:
        """The greatest length in bytes of a packet without its separator."""
        return self._limit

    @property
    def debug(self) -> bool:
        """Whether errors carry data in their ``error_info``."""
        return self._debug


class FixedSizePacketSerializer(FramedPacketSerializer[_SentT_contra, _ReceivedT_co]):
    """Every packet has the same length.

    Args:
        size: That length in bytes.
        debug: Put data into the ``error_info`` of errors.
        kwargs: Passed on to the next class of a multiple inheritance.
    """

    def __init__(self, size: int, *, debug: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._size = check_positive_int("size", size)
        self._debug = bool(debug)

    @abstractmethod
    def serialize(self, packet: _SentT_contra, /) -> bytes:
        raise NotImplementedError

    @abstractmethod
    def deserialize(self, data: bytes, /) -> _ReceivedT_co:
        raise NotImplementedError

    def serialize_frame(self, packet: _SentT_contra, /) -> bytes:
        """
        Raises:
            ValueError: The serialized packet is not `packet_size` bytes long.
        """
        data = self.serialize(packet)
        if len(data) != self._size:
            raise ValueError(f"The serialized packet has {len(data)} bytes instead of {self._size}")
        return data

    def create_framer(self) -> FixedSizeFramer:
        return FixedSizeFramer(self._size)

    @property
    def packet_size(self) -> int:
        """The length of every packet in bytes."""
        return self._size

    @property
    def debug(self) -> bool:
        """Whether errors carry data in their ``error_info``."""
        return self._debug
