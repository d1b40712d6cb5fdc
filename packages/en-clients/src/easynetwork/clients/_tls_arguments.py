# SPDX-License-Identifier: Apache-2.0
"""What the constructors of TCP clients are told about TLS."""

from __future__ import annotations

import ssl as _ssl
from dataclasses import dataclass

from easynetwork.lowlevel.tls import TLSOptions

__all__ = ("ClientTLS",)


@dataclass(frozen=True)
class ClientTLS:
    """How a client makes its connection secure."""

    options: TLSOptions

    server_hostname: str | None
    """The name that the server's certificate must have; None where it may have any."""

    @classmethod
    def from_arguments(
        cls,
        ssl: _ssl.SSLContext | bool | None,
        server_hostname: str | None,
        handshake_timeout: float | None,
        shutdown_timeout: float | None,
        standard_compatible: bool | None,
        *,
        host: str | None,
    ) -> ClientTLS | None:
        """Translates the ``ssl*`` arguments; ``host`` is what the client connects to, None if it is
        given a socket.

        Raises:
            TypeError, ValueError: as the client's constructor says.
        """
        _check_name(server_hostname)
        if server_hostname is not None and not ssl:
            raise ValueError("server_hostname: means nothing without ssl=")
        context: _ssl.SSLContext | None = None
        if ssl is True:
            context = _ssl.create_default_context()
            context.check_hostname = server_hostname != ""
        elif ssl is not False:
            context = ssl
        options = TLSOptions.from_arguments(context, handshake_timeout, shutdown_timeout, standard_compatible)
        if options is None:
            return None
        if server_hostname is None:
            server_hostname = host
            if not server_hostname:
                raise ValueError("server_hostname: required with ssl= when there is no host name to take it from")
        if not server_hostname and options.context.check_hostname:
            raise ValueError("server_hostname: the empty name needs an SSLContext with check_hostname=False")
        return cls(options, server_hostname or None)


def _check_name(server_hostname: object) -> None:
    if not isinstance(server_hostname, str | None):
        raise TypeError(f"server_hostname: expected a str, got {type(server_hostname).__name__}")
