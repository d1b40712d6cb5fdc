# SPDX-License-Identifier: Apache-2.0
"""Packets of fixed size, described by a format string of the `struct` module."""

from __future__ import annotations

import struct as _struct
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from easynetwork.exceptions import DeserializeError

from ._errors import bad_data
from ._validation import check_encoding, check_instance, check_unicode_errors
from .base_stream import FixedSizePacketSerializer

__all__ = ("AbstractStructSerializer", "NamedTupleStructSerializer", "StructSerializer")

_SentT_contra = TypeVar("_SentT_contra", contravariant=True)
_ReceivedT_co = TypeVar("_ReceivedT_co", covariant=True)
_NamedTupleT = TypeVar("_NamedTupleT", bound=NamedTuple)

_ENDIANNESS = frozenset("@=<>!")


class AbstractStructSerializer(FixedSizePacketSerializer[_SentT_contra, _ReceivedT_co]):
    """Derive from it to make a structure into a type of your own.

    Args:
        format: What `struct.Struct` takes; network byte order if the format does not say another
            one.
        debug: Put data into the ``error_info`` of errors.
    """

    def __init__(self, format: str, *, debug: bool = False) -> None:
        self._struct = _compile("format", format)
        super().__init__(self._struct.size, debug=debug)

    @abstractmethod
    def iter_values(self, packet: _SentT_contra, /) -> Iterable[Any]:
        """Return the values to pack, in the order of the format."""

    @abstractmethod
    def from_tuple(self, packet_tuple: tuple[Any, ...], /) -> _ReceivedT_co:
        """Make a packet of the unpacked values.

        Raises:
            DeserializeError: The values make no packet.
        """

    def serialize(self, packet: _SentT_contra, /) -> bytes:
        return self._struct.pack(*self.iter_values(packet))

    def deserialize(self, data: bytes, /) -> _ReceivedT_co:
        if len(data) != self._struct.size:
            message = f"Expected {self._struct.size} bytes, got {len(data)}"
            raise DeserializeError(message, {"data": data} if self.debug else None)
        return self.from_tuple(self._struct.unpack(data))

    @property
    def struct(self) -> _struct.Struct:
        """The compiled format."""
        return self._struct


class StructSerializer(AbstractStructSerializer[tuple[Any, ...], tuple[Any, ...]]):
    """A packet is the tuple of the values."""

    def iter_values(self, packet: tuple[Any, ...], /) -> tuple[Any, ...]:
        return packet

    def from_tuple(self, packet_tuple: tuple[Any, ...], /) -> tuple[Any, ...]:
        return packet_tuple


class NamedTupleStructSerializer(AbstractStructSerializer[_NamedTupleT, _NamedTupleT]):
    """A packet is a named tuple.

    Args:
        namedtuple_cls: Its class.
        field_formats: The format of each field, of one value each. Fields with a format such as
            ``16s`` are text.
        format_endianness: The first character of a format; network byte order if empty.
        encoding: Of text fields. ``None`` leaves them bytes.
        unicode_errors: What to do about characters that the encoding cannot express, see `codecs`.
        strip_string_trailing_nul_bytes: Whether to remove the padding of received text fields.
        debug: Put data into the ``error_info`` of errors.
    """

    def __init__(
        self,
        namedtuple_cls: type[_NamedTupleT],
        field_formats: Mapping[str, str],
        format_endianness: str = "",
        encoding: str | None = "utf-8",
        unicode_errors: str = "strict",
        strip_string_trailing_nul_bytes: bool = True,
        *,
        debug: bool = False,
    ) -> None:
        if format_endianness and format_endianness not in _ENDIANNESS:
            raise ValueError(
                f"format_endianness: expected one of {''.join(sorted(_ENDIANNESS))}, got {format_endianness!r}"
            )
        fields = _field_names(namedtuple_cls)
        if set(fields) != set(field_formats):
            raise ValueError(f"field_formats: expected formats for exactly the fields {', '.join(fields)}")
        for field, format in field_formats.items():
            _check_single_value(field, format)
        super().__init__(format_endianness + "".join(field_formats[field] for field in fields), debug=debug)
        self._namedtuple_cls = namedtuple_cls
        self._text_sizes = {field: _struct.calcsize(f) for field, f in field_formats.items() if f.endswith("s")}
        self._encoding = None if encoding is None else check_encoding(encoding)
        self._unicode_errors = check_unicode_errors(unicode_errors)
        self._strip_nul_bytes = bool(strip_string_trailing_nul_bytes)

    def iter_values(self, packet: _NamedTupleT, /) -> Iterator[Any]:
        """
        Raises:
            TypeError: `packet` is of another class.
            ValueError: A text does not fit into its field; `struct` would cut it off without a
                word.
        """
        check_instance("packet", packet, self._namedtuple_cls)
        for field, value in zip(packet._fields, packet, strict=True):
            size = self._text_sizes.get(field)
            yield value if size is None else self._encode_text(field, value, size)

    def from_tuple(self, packet_tuple: tuple[Any, ...], /) -> _NamedTupleT:
        packet = self._namedtuple_cls._make(packet_tuple)
        if not self._text_sizes:
            return packet
        return packet._replace(**{field: self._decode_text(getattr(packet, field)) for field in self._text_sizes})

    def _encode_text(self, field: str, value: str | bytes, size: int) -> bytes:
        data = value if isinstance(value, bytes) else value.encode(self._encoding or "utf-8", self._unicode_errors)
        if len(data) > size:
            raise ValueError(f"{field}: the text has {len(data)} bytes, but the field has room for {size}")
        return data

    def _decode_text(self, data: bytes) -> str | bytes:
        if self._strip_nul_bytes:
            data = data.rstrip(b"\0")
        if self._encoding is None:
            return data
        try:
            return data.decode(self._encoding, self._unicode_errors)
        except ValueError as exc:
            raise bad_data(f"{self._encoding} text", data, exc, self.debug) from (exc if self.debug else None)


def _compile(name: str, format: str) -> _struct.Struct:
    if format[:1] not in _ENDIANNESS:
        format = "!" + format
    try:
        return _struct.Struct(format)
    except _struct.error as exc:
        raise ValueError(f"{name}: {exc}") from exc


def _field_names(namedtuple_cls: type[NamedTuple]) -> tuple[str, ...]:
    try:
        return namedtuple_cls._fields
    except AttributeError:
        raise TypeError(f"namedtuple_cls: expected a named tuple class, got {namedtuple_cls!r}") from None


def _check_single_value(field: str, format: str) -> None:
    if format[:1] in _ENDIANNESS:
        raise ValueError(f"field_formats: {field!r} has a byte order of its own; use format_endianness")
    compiled = _compile(f"field_formats: {field!r}", format)
    if len(compiled.unpack(bytes(compiled.size))) != 1:
        raise ValueError(f"field_formats: {field!r} is not the format of one value")
