# SPDX-License-Identifier: Apache-2.0
"""MessagePack values, with the `msgpack` library of the extra ``msgpack``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, Literal

from ._item_serializer import ItemSerializer
from ._msgpack_framer import MessagePackFramer
from ._optional import import_extra
from ._validation import DEFAULT_LIMIT, check_instance

__all__ = ("MessagePackSerializer", "MessagePackerConfig", "MessageUnpackerConfig")


@dataclass(frozen=True, kw_only=True)
class MessagePackerConfig:
    """The options of `msgpack.Packer`."""

    default: Callable[[Any], Any] | None = None
    use_single_float: bool = False
    use_bin_type: bool = True
    datetime: bool = False
    strict_types: bool = False
    unicode_errors: str = "strict"


@dataclass(frozen=True, kw_only=True)
class MessageUnpackerConfig:
    """The options of `msgpack.Unpacker`."""

    raw: bool = False
    use_list: bool = True
    timestamp: Literal[0, 1, 2, 3] = 0
    strict_map_key: bool = True
    unicode_errors: str = "strict"
    object_hook: Callable[[dict[Any, Any]], Any] | None = None
    object_pairs_hook: Callable[[list[tuple[Any, Any]]], Any] | None = None
    ext_hook: Callable[[int, bytes], Any] | None = None
    """`msgpack.ExtType` if not given."""


class MessagePackSerializer(ItemSerializer):
    """A packet is a MessagePack value.

    Args:
        packer_config: The options of the packer.
        unpacker_config: The options of the unpacker.
        limit: The greatest length of a packet in bytes.
        debug: Put data into the ``error_info`` of errors.

    Raises:
        ModuleNotFoundError: `msgpack` is not installed.
    """

    _format = "MessagePack"

    def __init__(
        self,
        packer_config: MessagePackerConfig | None = None,
        unpacker_config: MessageUnpackerConfig | None = None,
        *,
        limit: int = DEFAULT_LIMIT,
        debug: bool = False,
    ) -> None:
        super().__init__(limit=limit, debug=debug)
        self._library = import_extra("msgpack", "msgpack")
        packer_config = MessagePackerConfig() if packer_config is None else packer_config
        check_instance("packer_config", packer_config, MessagePackerConfig)
        unpacker_config = MessageUnpackerConfig() if unpacker_config is None else unpacker_config
        check_instance("unpacker_config", unpacker_config, MessageUnpackerConfig)
        self._packer_options = vars(packer_config)
        self._unpacker_options = vars(unpacker_config).copy()
        if unpacker_config.ext_hook is None:
            self._unpacker_options["ext_hook"] = self._library.ExtType

    def dump_to_file(self, packet: Any, file: IO[bytes], /) -> None:
        self._library.pack(packet, file, **self._packer_options)

    def _loads(self, data: bytes) -> Any:
        return self._library.unpackb(data, **self._unpacker_options)

    def _create_item_framer(self, limit: int) -> MessagePackFramer:
        return MessagePackFramer(limit)
