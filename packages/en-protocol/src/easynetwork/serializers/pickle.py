# SPDX-License-Identifier: Apache-2.0
"""Python objects of (almost) any kind, between parties that trust each other completely."""

from __future__ import annotations

import pickle as _pickle
import pickletools as _pickletools
import warnings
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from easynetwork.exceptions import DeserializeError
from easynetwork.warnings import EasyNetworkWarning

from ._errors import bad_data
from ._validation import check_instance
from .abc import AbstractPacketSerializer

__all__ = ("PickleSerializer", "PicklerConfig", "UnpicklerConfig")


@dataclass(frozen=True, kw_only=True)
class PicklerConfig:
    """The options of `pickle.Pickler`."""

    protocol: int = field(default_factory=lambda: _pickle.DEFAULT_PROTOCOL)
    fix_imports: bool = False


@dataclass(frozen=True, kw_only=True)
class UnpicklerConfig:
    """The options of `pickle.Unpickler`."""

    fix_imports: bool = False
    encoding: str = "utf-8"
    errors: str = "strict"


class PickleSerializer(AbstractPacketSerializer[Any, Any]):
    """**Unpickling runs code that the sender has chosen.**

    Never use it with peers that you do not trust completely.

    An `unpickler_cls` that restricts what may be loaded (see ``find_class`` in the documentation of
    `pickle`) narrows this. It does not bound the memory: whatever it refuses, a few bytes of a
    pickle can ask for gigabytes. One-shot only: the end of a pickle cannot be found in a stream
    without running it.

    Args:
        pickler_config: The options of the pickler.
        unpickler_config: The options of the unpickler.
        pickler_cls: Used instead of `pickle.Pickler`.
        unpickler_cls: Used instead of `pickle.Unpickler`; without it an `EasyNetworkWarning` is
            emitted.
        pickler_optimize: Pass pickles through `pickletools.optimize`.
        debug: Put data into the ``error_info`` of errors.
    """

    def __init__(
        self,
        pickler_config: PicklerConfig | None = None,
        unpickler_config: UnpicklerConfig | None = None,
        *,
        pickler_cls: type[_pickle.Pickler] | None = None,
        unpickler_cls: type[_pickle.Unpickler] | None = None,
        pickler_optimize: bool = False,
        debug: bool = False,
    ) -> None:
        super().__init__()
        self._pickler_config = PicklerConfig() if pickler_config is None else pickler_config
        check_instance("pickler_config", self._pickler_config, PicklerConfig)
        self._unpickler_config = UnpicklerConfig() if unpickler_config is None else unpickler_config
        check_instance("unpickler_config", self._unpickler_config, UnpicklerConfig)
        if unpickler_cls is None:
            message = "PickleSerializer runs code that the peer has chosen; restrict it with unpickler_cls"
            warnings.warn(message, EasyNetworkWarning, stacklevel=2)
        self._pickler_cls = _pickle.Pickler if pickler_cls is None else pickler_cls
        self._unpickler_cls = _pickle.Unpickler if unpickler_cls is None else unpickler_cls
        self._optimize = bool(pickler_optimize)
        self._debug = bool(debug)

    def serialize(self, packet: Any, /) -> bytes:
        config = self._pickler_config
        with BytesIO() as file:
            self._pickler_cls(file, config.protocol, fix_imports=config.fix_imports).dump(packet)
            data = file.getvalue()
        return _pickletools.optimize(data) if self._optimize else data

    def deserialize(self, data: bytes, /) -> Any:
        """
        Raises:
            DeserializeError: The data is bad, there is more of it behind the pickle, or what the
                pickle has called has raised anything, ``SystemExit`` and ``KeyboardInterrupt``
                included.
        """
        config = self._unpickler_config
        file = BytesIO(data)
        unpickler = self._unpickler_cls(
            file, fix_imports=config.fix_imports, encoding=config.encoding, errors=config.errors
        )
        try:
            packet = unpickler.load()
        except BaseException as exc:  # a pickle can raise every exception there is; nobody awaits here, so none is ours
            raise bad_data("pickle", data, exc, self._debug) from (exc if self._debug else None)
        if file.tell() < len(data):
            raise DeserializeError(
                "Extra data: there are bytes after the pickle", {"data": data} if self._debug else None
            )
        return packet

    @property
    def debug(self) -> bool:
        """Whether errors carry data in their ``error_info``."""
        return self._debug
