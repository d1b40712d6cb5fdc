# SPDX-License-Identifier: Apache-2.0
"""The Unix stream server, for programs without an event loop."""

from __future__ import annotations

from .server import StandaloneUnixStreamServer

__all__ = ("StandaloneUnixStreamServer",)
