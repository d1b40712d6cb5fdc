# SPDX-License-Identifier: Apache-2.0
"""JSON documents, one a line or one after the other."""

from __future__ import annotations

import json as _json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ._errors import bad_data
from ._json_framer import JSONFramer
from ._validation import DEFAULT_LIMIT, check_encoding, check_instance, check_positive_int, check_unicode_errors
from .framing import FramedPacketSerializer, Framer, SeparatorFramer

__all__ = ("JSONDecoderConfig", "JSONEncoderConfig", "JSONSerializer")

_NEWLINE = b"\n"


@dataclass(frozen=True, kw_only=True)
class JSONEncoderConfig:
    """The options of `json.JSONEncoder`."""

    skipkeys: bool = False
    check_circular: bool = True
    ensure_ascii: bool = True
    allow_nan: bool = True
    default: Callable[[Any], Any] | None = None


@dataclass(frozen=True, kw_only=True)
class JSONDecoderConfig:
    """The options of `json.JSONDecoder`."""

    object_hook: Callable[[dict[str, Any]], Any] | None = None
    parse_int: Callable[[str], Any] | None = None
    parse_float: Callable[[str], Any] | None = None
    parse_constant: Callable[[str], Any] | None = None
    object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None
    strict: bool = True


class JSONSerializer(FramedPacketSerializer[Any, Any]):
    """A packet is a JSON document, sent without superfluous white space.

    As in the standard library, ``NaN``, ``Infinity`` and ``-Infinity`` are sent and accepted
    although JSON does not know them. ``JSONEncoderConfig(allow_nan=False)`` and a `parse_constant`
    that raises ``ValueError`` refuse them.

    Args:
        encoder_config: The options of the encoder.
        decoder_config: The options of the decoder.
        encoding: Of the text; ASCII characters must be their own bytes in it.
        unicode_errors: What to do about characters that the encoding cannot express, see `codecs`.
        limit: The greatest length of a document in bytes.
        use_lines: Whether a document is a line in a stream. Otherwise documents follow each other
            with or without white space between them: objects, arrays and strings end at their
            bracket or quote, other values at white space.
        debug: Put data into the ``error_info`` of errors.
    """

    def __init__(
        self,
        encoder_config: JSONEncoderConfig | None = None,
        decoder_config: JSONDecoderConfig | None = None,
        *,
        encoding: str = "utf-8",
        unicode_errors: str = "strict",
        limit: int = DEFAULT_LIMIT,
        use_lines: bool = True,
        debug: bool = False,
    ) -> None:
        super().__init__()
        encoder_config = JSONEncoderConfig() if encoder_config is None else encoder_config
        check_instance("encoder_config", encoder_config, JSONEncoderConfig)
        decoder_config = JSONDecoderConfig() if decoder_config is None else decoder_config
        check_instance("decoder_config", decoder_config, JSONDecoderConfig)
        self._encoder = _json.JSONEncoder(separators=(",", ":"), **vars(encoder_config))
        self._decoder = _json.JSONDecoder(**vars(decoder_config))
        self._encoding = check_encoding(encoding)
        self._unicode_errors = check_unicode_errors(unicode_errors)
        self._limit = check_positive_int("limit", limit)
        self._use_lines = bool(use_lines)
        self._debug = bool(debug)

    def serialize(self, packet: Any, /) -> bytes:
        return self._encoder.encode(packet).encode(self._encoding, self._unicode_errors)

    def serialize_frame(self, packet: Any, /) -> bytes:
        data = self.serialize(packet)
        ends_by_itself = data.startswith((b"{", b"[", b'"')) and not self._use_lines
        return data if ends_by_itself else data + _NEWLINE

    def deserialize(self, data: bytes, /) -> Any:
        try:
            return self._decoder.decode(data.decode(self._encoding, self._unicode_errors))
        except Exception as exc:
            raise bad_data("JSON", data, exc, self._debug) from (exc if self._debug else None)

    def create_framer(self) -> Framer:
        return SeparatorFramer(_NEWLINE, self._limit) if self._use_lines else JSONFramer(self._limit)

    @property
    def buffer_limit(self) -> int:
        """The greatest length of a document in bytes."""
        return self._limit

    @property
    def debug(self) -> bool:
        """Whether errors carry data in their ``error_info``."""
        return self._debug
