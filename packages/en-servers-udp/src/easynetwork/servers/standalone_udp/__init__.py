# SPDX-License-Identifier: Apache-2.0
"""The UDP server, for programs without an event loop."""

from __future__ import annotations

from .server import StandaloneUDPNetworkServer

__all__ = ("StandaloneUDPNetworkServer",)
