# SPDX-License-Identifier: Apache-2.0
"""The server of Unix stream sockets."""

from __future__ import annotations

from .server import AsyncUnixStreamServer, UnixStreamServerOptions

__all__ = ("AsyncUnixStreamServer", "UnixStreamServerOptions")
