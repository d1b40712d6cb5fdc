# SPDX-License-Identifier: Apache-2.0
"""The TCP server, plain or with TLS, for programs without an event loop."""

from __future__ import annotations

from .server import StandaloneTCPNetworkServer

__all__ = ("StandaloneTCPNetworkServer",)
