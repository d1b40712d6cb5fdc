# SPDX-License-Identifier: Apache-2.0
"""Libraries that are imported only by those who use them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ("import_extra",)


def import_extra(library: str, extra: str) -> Any:
    """Import a library that an extra of this distribution brings.

    Raises:
        ModuleNotFoundError: It is not installed. An error inside the library is not masked.
    """
    try:
        return import_module(library)
    except ModuleNotFoundError as exc:
        if exc.name != library:
            raise
        message = f"{library} is not installed; it comes with the extra {extra!r}: en-protocol[{extra}] or easynetwork[{extra}]"
        raise ModuleNotFoundError(message, name=library) from exc
