# SPDX-License-Identifier: Apache-2.0
"""Control messages of sockets (cmsg(3)) to records and back, and who owns the descriptors in them.

Does no input or output of its own.
"""

from __future__ import annotations

from ._ancillary import SocketAncillary, raw_control_messages
from ._packet_info import (
    PACKET_INFO_BUFSIZE,
    IPv4PacketInfo,
    IPv6PacketInfo,
    request_packet_info,
    unpack_packet_info,
)
from ._queue import ControlQueue
from ._received import ReceivedControl, truncated_error
from ._records import (
    CONTROL_BUFSIZE,
    RawControlMessage,
    SCMCredentials,
    SCMRights,
    SocketAncillaryMessages,
    SocketCredential,
)

__all__ = (
    "CONTROL_BUFSIZE",
    "PACKET_INFO_BUFSIZE",
    "ControlQueue",
    "IPv4PacketInfo",
    "IPv6PacketInfo",
    "RawControlMessage",
    "ReceivedControl",
    "SCMCredentials",
    "SCMRights",
    "SocketAncillary",
    "SocketAncillaryMessages",
    "SocketCredential",
    "raw_control_messages",
    "request_packet_info",
    "truncated_error",
    "unpack_packet_info",
)
