# SPDX-License-Identifier: Apache-2.0
"""What can be chosen about TLS, in one record."""

from __future__ import annotations

import math
import ssl as _ssl
from dataclasses import dataclass

from ..defaults import HANDSHAKE_TIMEOUT, SHUTDOWN_TIMEOUT

__all__ = ("TLSOptions",)


@dataclass(frozen=True, kw_only=True)
class TLSOptions:
    """The same for servers and clients; checked when it is made."""

    context: _ssl.SSLContext
    """Certificates, versions and verification."""

    handshake_timeout: float = HANDSHAKE_TIMEOUT
    """Seconds that the whole handshake may take."""

    shutdown_timeout: float = SHUTDOWN_TIMEOUT
    """Seconds that the peer may take to answer the closing alert."""

    standard_compatible: bool = True
    """Whether the peer's closing alert (``close_notify``, RFC 8446 section 6.1) is waited for, and
    its absence is a truncation. Ours is always sent."""

    def __post_init__(self) -> None:
        _check_type("ssl", self.context, _ssl.SSLContext)
        _check_seconds("ssl_handshake_timeout", self.handshake_timeout)
        _check_seconds("ssl_shutdown_timeout", self.shutdown_timeout)

    @classmethod
    def from_arguments(
        cls,
        context: _ssl.SSLContext | None,
        handshake_timeout: float | None,
        shutdown_timeout: float | None,
        standard_compatible: bool | None,
    ) -> TLSOptions | None:
        """Translates the ``ssl*`` arguments of servers and clients, where None means the default;
        None without a context.

        Raises:
            TypeError: the context or a time is of the wrong type.
            ValueError: a time is not positive, or an option was given without ``ssl``.
        """
        given = {
            name: value
            for name, value in (
                ("handshake_timeout", handshake_timeout),
                ("shutdown_timeout", shutdown_timeout),
                ("standard_compatible", standard_compatible),
            )
            if value is not None
        }
        if context is None:
            if given:
                raise ValueError(f"ssl_{next(iter(given))}: means nothing without ssl=")
            return None
        return cls(context=context, **given)  # type: ignore[arg-type]  # the names and the types belong together above


def _check_seconds(name: str, value: float) -> None:
    _check_type(name, value, int, float)
    if isinstance(value, bool) or not value > 0 or math.isinf(value):
        raise ValueError(f"{name}: expected a finite number of seconds above 0, got {value!r}")


def _check_type(name: str, value: object, *kinds: type) -> None:
    if not isinstance(value, kinds):
        raise TypeError(f"{name}: expected {' or '.join(kind.__name__ for kind in kinds)}, got {type(value).__name__}")
