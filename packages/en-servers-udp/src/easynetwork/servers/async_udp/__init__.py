# SPDX-License-Identifier: Apache-2.0
"""The UDP server."""

from __future__ import annotations

from .server import AsyncUDPNetworkServer, UDPServerOptions

__all__ = ("AsyncUDPNetworkServer", "UDPServerOptions")
