# SPDX-License-Identifier: Apache-2.0
"""Clients, blocking and asynchronous. Those of Unix sockets are in modules of their own."""

from __future__ import annotations

from .async_tcp import AsyncTCPNetworkClient
from .async_udp import AsyncUDPNetworkClient
from .tcp import TCPNetworkClient
from .udp import UDPNetworkClient

__all__ = ("AsyncTCPNetworkClient", "AsyncUDPNetworkClient", "TCPNetworkClient", "UDPNetworkClient")
