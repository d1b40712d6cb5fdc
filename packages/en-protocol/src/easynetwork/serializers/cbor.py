# SPDX-License-Identifier: Apache-2.0
"""CBOR data items (RFC 8949), with the `cbor2` library of the extra ``cbor``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import IO, Any, Literal

from ._cbor_framer import REFUSED_TAGS, SHARED_VALUE_TAGS, STRING_REFERENCE_TAGS, CBORFramer
from ._item_serializer import ItemSerializer
from ._optional import import_extra
from ._validation import DEFAULT_LIMIT, check_instance

__all__ = ("CBORDecoderConfig", "CBOREncoderConfig", "CBORSerializer")


@dataclass(frozen=True, kw_only=True)
class CBOREncoderConfig:
    """The options of `cbor2.CBOREncoder`."""

    datetime_as_timestamp: bool = False
    timezone: tzinfo | None = None
    value_sharing: bool = False
    default: Callable[[Any, Any], Any] | None = None
    canonical: bool = False
    date_as_datetime: bool = False
    string_referencing: bool = False


@dataclass(frozen=True, kw_only=True)
class CBORDecoderConfig:
    """The options of `cbor2.CBORDecoder`."""

    object_hook: Callable[[Any, dict[Any, Any]], Any] | None = None
    tag_hook: Callable[[Any, Any], Any] | None = None
    str_errors: Literal["strict", "error", "replace"] = "strict"


class CBORSerializer(ItemSerializer):
    """A packet is a CBOR data item.

    Some items are refused, because a few bytes of them can cost seconds: regular expressions (tag
    35), MIME messages (36), bignums of more than 4 KiB, more than 2,048 keys or members of sets
    that are not plain, and, unless the encoder's options say that this application uses them,
    shared values (28, 29) and string references (25, 256).

    Args:
        encoder_config: The options of the encoder.
        decoder_config: The options of the decoder.
        limit: The greatest length of a packet in bytes.
        debug: Put data into the ``error_info`` of errors.

    Raises:
        ModuleNotFoundError: `cbor2` is not installed.
    """

    _format = "CBOR"

    def __init__(
        self,
        encoder_config: CBOREncoderConfig | None = None,
        decoder_config: CBORDecoderConfig | None = None,
        *,
        limit: int = DEFAULT_LIMIT,
        debug: bool = False,
    ) -> None:
        super().__init__(limit=limit, debug=debug)
        self._library = import_extra("cbor2", "cbor")
        encoder_config = CBOREncoderConfig() if encoder_config is None else encoder_config
        check_instance("encoder_config", encoder_config, CBOREncoderConfig)
        decoder_config = CBORDecoderConfig() if decoder_config is None else decoder_config
        check_instance("decoder_config", decoder_config, CBORDecoderConfig)
        self._encoder_options = vars(encoder_config)
        self._decoder_options = vars(decoder_config)
        self._refused_tags = {
            **REFUSED_TAGS,
            **({} if encoder_config.value_sharing else SHARED_VALUE_TAGS),
            **({} if encoder_config.string_referencing else STRING_REFERENCE_TAGS),
        }

    def dump_to_file(self, packet: Any, file: IO[bytes], /) -> None:
        self._library.dump(packet, file, **self._encoder_options)

    def _loads(self, data: bytes) -> Any:
        return self._library.loads(data, **self._decoder_options)

    def _create_item_framer(self, limit: int) -> CBORFramer:
        return CBORFramer(limit, self._refused_tags)
