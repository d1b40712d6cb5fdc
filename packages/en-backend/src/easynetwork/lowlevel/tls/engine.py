# SPDX-License-Identifier: Apache-2.0
"""TLS as bytes in, bytes out: the part that never waits."""

from __future__ import annotations

import ssl as _ssl
from collections.abc import Callable, Mapping
from typing import Any, Final

from easynetwork.exceptions import TruncatedStreamError

from ..socket import TLSAttribute

__all__ = ("CIPHERTEXT_SIZE", "PLAINTEXT_SIZE", "TLSEngine")

CIPHERTEXT_SIZE: Final = 32768
"""How much is read from the transport at once: room for a full record (16 KiB and its overhead, RFC
8446 section 5.2) and the next one's head."""

PLAINTEXT_SIZE: Final = 65536
"""How much is encrypted before it is handed on: what a large packet costs beyond itself."""


class TLSEngine:
    """One side of a TLS connection without any I/O.

    Operations that need bytes of the peer return None; feed them and ask again. Whatever an
    operation left in `output` belongs to the peer, also after an error (it may be the alert that
    explains it).
    """

    def __init__(
        self,
        context: _ssl.SSLContext,
        *,
        server_side: bool,
        server_hostname: str | None,
        standard_compatible: bool,
    ) -> None:
        self._incoming = _ssl.MemoryBIO()
        self._outgoing = _ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self._standard_compatible = standard_compatible
        self._ended = False

    @property
    def has_output(self) -> bool:
        return self._outgoing.pending > 0

    def output(self) -> bytes:
        """Takes everything that is ready to be sent to the peer."""
        return self._outgoing.read()

    @property
    def wants_input(self) -> bool:
        """Nothing can be read before more is fed (OpenSSL takes whole records from the input, so
        what it holds back is none).
        """
        incoming = self._incoming
        return not (self._ended or incoming.pending or incoming.eof or self._object.pending())

    def feed(self, ciphertext: bytes) -> None:
        """Takes what came from the peer; ``b""`` is its end."""
        if ciphertext:
            self._incoming.write(ciphertext)
        else:
            self._incoming.write_eof()

    def handshake(self) -> bool | None:
        """Goes on with the handshake: True when it is complete.

        Raises:
            ssl.SSLError: the handshake failed.
            ConnectionAbortedError: the peer ended the connection in the middle of it.
        """
        try:
            self._object.do_handshake()
        except _ssl.SSLWantReadError:
            return None
        except _ssl.SSLError as exc:
            if _is_end(exc):
                raise ConnectionAbortedError("the peer ended the connection during the TLS handshake") from None
            raise
        return True

    def read(self, max_bytes: int) -> bytes | None:
        """Decrypts up to ``max_bytes`` bytes; ``b""`` at the peer's end.

        Raises:
            TruncatedStreamError: the connection ended without the closing alert, and the standard
                is insisted on.
            ConnectionAbortedError: the peer broke the protocol.
        """
        if self._ended:
            return b""
        try:
            data = self._object.read(max_bytes)
        except _ssl.SSLWantReadError:
            return None
        except _ssl.SSLError as exc:
            self._ended = True
            if not _is_end(exc):
                raise ConnectionAbortedError(
                    f"the TLS connection failed: {exc.reason or 'protocol violation'}"
                ) from exc
            if self._standard_compatible:
                raise TruncatedStreamError("the TLS connection ended without a closing alert (close_notify)") from None
            return b""
        if not data:
            self._ended = True
        return data

    def write(self, plaintext: memoryview) -> None:
        """Encrypts ``plaintext`` (not empty, at most `PLAINTEXT_SIZE` bytes) into the output.

        Raises:
            ConnectionAbortedError: the connection cannot send any more.
        """
        try:
            self._object.write(plaintext)
        except _ssl.SSLError as exc:
            raise ConnectionAbortedError(f"the TLS connection failed: {exc.reason or 'it has ended'}") from exc

    def close(self) -> bool | None:
        """Puts the closing alert into the output; True once the peer's has come, or never will."""
        try:
            self._object.unwrap()
        except _ssl.SSLWantReadError:
            return None
        except _ssl.SSLError:
            return True  # it ended without one, or still sends: RFC 8446 lets a closing side ignore both
        return True

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return {
            TLSAttribute.sslcontext: lambda: self._object.context,
            # Keys are the attributes themselves; type checkers see the types of their values.
            TLSAttribute.peercert: self._object.getpeercert,  # pyright: ignore[reportUnhashable]
            TLSAttribute.cipher: self._object.cipher,
            TLSAttribute.compression: self._object.compression,
            TLSAttribute.tls_version: self._object.version,
            TLSAttribute.standard_compatible: lambda: self._standard_compatible,
        }


def _is_end(exc: _ssl.SSLError) -> bool:
    """OpenSSL 3 reports the end of the input as an error of its own in places where version 1.1 had
    none.
    """
    return isinstance(exc, _ssl.SSLEOFError) or exc.reason == "UNEXPECTED_EOF_WHILE_READING"
