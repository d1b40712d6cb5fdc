# SPDX-License-Identifier: Apache-2.0
"""Checks of constructor arguments, which name the argument in their TypeError or ValueError."""

from __future__ import annotations

import codecs
from typing import cast

__all__ = (
    "DEFAULT_LIMIT",
    "check_encoding",
    "check_exception_types",
    "check_instance",
    "check_positive_int",
    "check_separator",
    "check_unicode_errors",
)

DEFAULT_LIMIT = 64 * 1024
"""The greatest length of a packet in bytes, where nothing else is said: what asyncio's streams
allow for a line."""


def check_positive_int(name: str, value: object) -> int:
    # bool is an int to isinstance(), but nobody means a limit of True.
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{name}: expected a positive integer, got {value!r}")
    return value


def check_separator(separator: object) -> bytes:
    if not isinstance(separator, bytes):
        raise TypeError(f"separator: expected bytes, got {separator!r}")
    if not separator:
        raise ValueError("separator: expected at least one byte")
    return separator


def check_encoding(encoding: object) -> str:
    """Refuse encodings in which ASCII characters are not their own bytes: separators could not be
    found in them.
    """
    if not isinstance(encoding, str):
        raise TypeError(f"encoding: expected a string, got {encoding!r}")
    try:
        ascii_compatible = "\r\n{}".encode(encoding) == b"\r\n{}"
    except LookupError as exc:
        raise ValueError(f"encoding: {encoding!r} is not known") from exc
    if not ascii_compatible:
        raise ValueError(
            f"encoding: {encoding!r} is not a superset of ASCII, so the end of a packet could not be found"
        )
    return encoding


def check_unicode_errors(errors: object) -> str:
    if not isinstance(errors, str):
        raise TypeError(f"unicode_errors: expected a string, got {errors!r}")
    try:
        codecs.lookup_error(errors)
    except LookupError as exc:
        raise ValueError(f"unicode_errors: {errors!r} is not the name of an error handler") from exc
    return errors


def check_instance(name: str, value: object, *classes: type[object]) -> None:
    if not isinstance(value, classes):
        expected = " or ".join(cls.__name__ for cls in classes)
        raise TypeError(f"{name}: expected {expected}, got {type(value).__name__}")


def check_exception_types(
    name: str, value: type[Exception] | tuple[type[Exception], ...]
) -> type[Exception] | tuple[type[Exception], ...]:
    given: object = value
    types = cast("tuple[object, ...]", given) if isinstance(given, tuple) else (given,)
    if not types or not all(isinstance(item, type) and issubclass(item, Exception) for item in types):
        raise TypeError(f"{name}: expected an exception class or a tuple of them, got {value!r}")
    return value
