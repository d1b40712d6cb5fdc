# SPDX-License-Identifier: Apache-2.0
"""Serializers: between packets and bytes.

The libraries for CBOR and MessagePack are imported when first used.
"""

from __future__ import annotations

from .cbor import CBORSerializer
from .json import JSONSerializer
from .line import StringLineSerializer
from .msgpack import MessagePackSerializer
from .pickle import PickleSerializer
from .struct import NamedTupleStructSerializer, StructSerializer

__all__ = (
    "CBORSerializer",
    "JSONSerializer",
    "MessagePackSerializer",
    "NamedTupleStructSerializer",
    "PickleSerializer",
    "StringLineSerializer",
    "StructSerializer",
)
