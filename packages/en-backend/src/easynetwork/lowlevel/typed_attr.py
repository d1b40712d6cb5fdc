# SPDX-License-Identifier: Apache-2.0
"""Typed attributes, which are anyio's; only the lookup error is ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

import anyio
from anyio import TypedAttributeSet, typed_attribute

from easynetwork.exceptions import TypedAttributeLookupError

__all__ = ("TypedAttributeProvider", "TypedAttributeSet", "typed_attribute")

T_Attr = TypeVar("T_Attr")
T_Default = TypeVar("T_Default")

_MISSING: Any = object()


class TypedAttributeProvider(anyio.TypedAttributeProvider):
    """An object that offers values under typed keys."""

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """What is on offer: a read-only mapping of attributes to functions that give their
        values.
        """
        return {}

    @overload  # type: ignore[misc]  # final in anyio, whose error class is not the one we promise
    def extra(self, attribute: T_Attr) -> T_Attr: ...

    @overload
    def extra(self, attribute: T_Attr, default: T_Default) -> T_Attr | T_Default: ...

    def extra(  # pyright: ignore[reportIncompatibleMethodOverride]  # as above
        self, attribute: Any, default: object = _MISSING
    ) -> object:
        """The value of ``attribute``, or ``default`` where it is not on offer.

        Raises:
            TypedAttributeLookupError: it is not on offer, and no default was given.
        """
        try:
            getter = self.extra_attributes[attribute]
        except KeyError:
            if default is _MISSING:
                raise TypedAttributeLookupError("Attribute not found") from None
            return default
        return getter()
