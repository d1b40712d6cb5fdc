# SPDX-License-Identifier: Apache-2.0
"""Protocol objects: a serializer and, if wanted, a converter, for one kind of transport."""

from __future__ import annotations

from ._datagram import DatagramProtocol
from ._stream import AnyStreamProtocolType, BufferedStreamProtocol, StreamProtocol

__all__ = ("AnyStreamProtocolType", "BufferedStreamProtocol", "DatagramProtocol", "StreamProtocol")
