# SPDX-License-Identifier: Apache-2.0
"""Lines of text."""

from __future__ import annotations

from typing import Literal

from ._errors import bad_data
from ._validation import DEFAULT_LIMIT, check_encoding, check_instance, check_unicode_errors
from .base_stream import AutoSeparatedPacketSerializer, strip_separators
from .framing import SeparatorFramer

__all__ = ("StringLineSerializer",)

_NEWLINES = {"LF": b"\n", "CR": b"\r", "CRLF": b"\r\n"}


class StringLineSerializer(AutoSeparatedPacketSerializer[str, str]):
    """A packet is a line of text.

    Newlines at the end of a sent packet are stripped and one is put there instead; a newline inside
    is a ``ValueError``. The empty line is a packet too.

    Args:
        newline: What ends a line.
        encoding: Of the text; ASCII characters must be their own bytes in it.
        unicode_errors: What to do about characters that the encoding cannot express, see `codecs`.
        limit: The greatest length in bytes of a line without its newline.
        keep_end: Leave the newline at the end of received packets.
        debug: Put data into the ``error_info`` of errors.
    """

    def __init__(
        self,
        newline: Literal["LF", "CR", "CRLF"] = "LF",
        *,
        encoding: str = "ascii",
        unicode_errors: str = "strict",
        limit: int = DEFAULT_LIMIT,
        keep_end: bool = False,
        debug: bool = False,
    ) -> None:
        if newline not in _NEWLINES:
            raise ValueError(f"newline: expected one of {', '.join(_NEWLINES)}, got {newline!r}")
        super().__init__(_NEWLINES[newline], limit=limit, debug=debug)
        self._encoding = check_encoding(encoding)
        self._unicode_errors = check_unicode_errors(unicode_errors)
        self._keep_end = bool(keep_end)

    def serialize(self, packet: str, /) -> bytes:
        """Encode the text as it is, without adding a newline."""
        check_instance("packet", packet, str)
        return packet.encode(self._encoding, self._unicode_errors)

    def deserialize(self, data: bytes, /) -> str:
        """Decode one line. Newlines at its end are removed, unless `keep_end` is set.

        Raises:
            DeserializeError: The bytes are not text in this encoding.
        """
        if not self._keep_end:
            data = strip_separators(data, self._separator)
        return self.deserialize_frame(data)

    def deserialize_frame(self, data: bytes, /) -> str:
        try:
            return data.decode(self._encoding, self._unicode_errors)
        except ValueError as exc:
            raise bad_data(f"{self._encoding} text", data, exc, self._debug) from (exc if self._debug else None)

    def create_framer(self) -> SeparatorFramer:
        return SeparatorFramer(self._separator, self._limit, keep_end=self._keep_end)

    @property
    def encoding(self) -> str:
        """The encoding of the text."""
        return self._encoding

    @property
    def unicode_errors(self) -> str:
        """What is done about characters that the encoding cannot express."""
        return self._unicode_errors

    @property
    def keep_end(self) -> bool:
        """Whether received packets keep their newline."""
        return self._keep_end
