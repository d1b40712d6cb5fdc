# SPDX-License-Identifier: Apache-2.0
"""The Unix datagram server, for programs without an event loop."""

from __future__ import annotations

from .server import StandaloneUnixDatagramServer

__all__ = ("StandaloneUnixDatagramServer",)
