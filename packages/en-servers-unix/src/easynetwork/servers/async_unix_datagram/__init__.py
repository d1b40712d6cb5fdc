# SPDX-License-Identifier: Apache-2.0
"""The server of Unix datagram sockets."""

from __future__ import annotations

from .server import AsyncUnixDatagramServer, UnixDatagramServerOptions

__all__ = ("AsyncUnixDatagramServer", "UnixDatagramServerOptions")
