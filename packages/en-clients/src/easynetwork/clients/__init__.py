# SPDX-License-Identifier: Apache-2.0
"""Clients, blocking and asynchronous."""

from __future__ import annotations

from .async_tcp import AsyncTCPNetworkClient
from .tcp import TCPNetworkClient

__all__ = ("AsyncTCPNetworkClient", "TCPNetworkClient")
