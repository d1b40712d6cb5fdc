# SPDX-License-Identifier: Apache-2.0
"""A backend that needs nothing more than how programs run, and how sockets are watched."""

from __future__ import annotations

from ..api_async.backend.anyio_backend import AnyIOBackend
from .tcp import TCPSockets
from .udp import UDPSockets
from .unix import UnixSockets

__all__ = ("SocketBackend",)


class SocketBackend(TCPSockets, UDPSockets, UnixSockets, AnyIOBackend):
    """The part of a backend that is the same on every event loop that can watch sockets."""
