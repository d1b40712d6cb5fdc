# SPDX-License-Identifier: Apache-2.0
"""Serializers around serializers."""

from __future__ import annotations

from .base64 import Base64EncoderSerializer
from .compressor import BZ2CompressorSerializer, ZlibCompressorSerializer

__all__ = ("BZ2CompressorSerializer", "Base64EncoderSerializer", "ZlibCompressorSerializer")
