# SPDX-License-Identifier: Apache-2.0
"""Outgoing TCP connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket as _socket
from typing import TYPE_CHECKING, Any

from easynetwork.lowlevel.happy_eyeballs import connect_first
from easynetwork.lowlevel.socket import set_tcp_keepalive, set_tcp_nodelay

from .readiness import require_readiness
from .sockets import SocketStream

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

__all__ = ("connect_tcp", "wrap_tcp_socket")
