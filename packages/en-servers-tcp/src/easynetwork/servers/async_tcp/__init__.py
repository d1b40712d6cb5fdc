# SPDX-License-Identifier: Apache-2.0
"""The TCP server, plain or with TLS."""

from __future__ import annotations

from .server import AsyncTCPNetworkServer, TCPServerOptions

__all__ = ("AsyncTCPNetworkServer", "TCPServerOptions")
