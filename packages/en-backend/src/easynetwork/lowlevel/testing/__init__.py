# SPDX-License-Identifier: Apache-2.0
"""In-memory transports, and the examination that every real one must pass.

Needs nothing but a backend.

Every ``check_*`` raises at the first rule that is not kept, with a note that names it. The only
real time they spend is a short wait where the rule is that something does *not* happen.
"""

from __future__ import annotations

from .check_control_datagrams import check_control_datagrams
from .check_control_streams import check_control_stream
from .check_datagram_listeners import check_datagram_listener
from .check_datagrams import check_datagram_endpoint
from .check_stream_listeners import check_stream_listener
from .check_streams import check_byte_stream
from .check_tasks import check_tasks
from .impairments import Impairments
from .memory_backend import MemoryBackend
from .memory_datagrams import (
    MemoryDatagramEndpoint,
    MemoryDatagramListener,
    MemoryDatagramNetwork,
    memory_datagram_pair,
)
from .memory_sockets import MemorySocket
from .memory_streams import MemoryListener, MemoryStream, memory_stream_pair

__all__ = (
    "Impairments",
    "MemoryBackend",
    "MemoryDatagramEndpoint",
    "MemoryDatagramListener",
    "MemoryDatagramNetwork",
    "MemoryListener",
    "MemorySocket",
    "MemoryStream",
    "check_byte_stream",
    "check_control_datagrams",
    "check_control_stream",
    "check_datagram_endpoint",
    "check_datagram_listener",
    "check_stream_listener",
    "check_tasks",
    "memory_datagram_pair",
    "memory_stream_pair",
)
