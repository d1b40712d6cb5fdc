# SPDX-License-Identifier: Apache-2.0
"""Transports over sockets that we own ourselves, for every event loop that can tell when a socket
is ready.

An event loop's own transports are not used: they read ahead, keep a write buffer of their own and
close as they like (docs/design/seam.md has the reasons). Here the loop answers one question,
`SocketWatch`, and all the rest is the same on every loop.
"""

from __future__ import annotations

from .backend import SocketBackend
from .watch import SocketWatch, SocketWatcher

__all__ = ("SocketBackend", "SocketWatch", "SocketWatcher")
