# SPDX-License-Identifier: Apache-2.0
"""In-memory transports, and the examination that every real one must pass. Needs nothing but a backend."""

from __future__ import annotations

from .check_streams import check_byte_stream, check_stream_listener
from .memory_streams import MemoryListener, MemoryStream, memory_stream_pair

__all__ = (
    "MemoryListener",
    "MemoryStream",
    "check_byte_stream",
    "check_stream_listener",
    "memory_stream_pair",
)
