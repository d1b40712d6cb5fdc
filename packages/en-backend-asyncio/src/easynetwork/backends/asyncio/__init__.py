# SPDX-License-Identifier: Apache-2.0
"""The backend for asyncio, and for uvloop, which is asyncio with another event loop."""

from __future__ import annotations

from .backend import AsyncIOBackend

__all__ = ("AsyncIOBackend",)
