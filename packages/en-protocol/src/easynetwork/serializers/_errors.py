# SPDX-License-Identifier: Apache-2.0
"""How the built-in serializers report bad data.

The text of a parser's own exception may quote what the peer has sent, and a traceback prints it. So
they raise ``bad_data(...) from (exc if debug else None)``: the exception is chained, and the data
shown, only in debug mode.
"""

from __future__ import annotations

from easynetwork.exceptions import DeserializeError

__all__ = ("bad_data",)


def bad_data(what: str, data: bytes, exc: BaseException, debug: bool) -> DeserializeError:
    """Make the error to raise for an exception that a parser has raised for `data`.

    Callers pass whatever `Exception` there is: hostile documents make parsers raise RecursionError,
    MemoryError, OverflowError, TypeError, ArithmeticError, and what the constructors of decoded
    objects come up with.
    """
    return DeserializeError(f"The data is not valid {what} ({type(exc).__name__})", {"data": data} if debug else None)
