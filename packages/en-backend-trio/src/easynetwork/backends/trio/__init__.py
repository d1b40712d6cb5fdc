# SPDX-License-Identifier: Apache-2.0
"""The backend for trio."""

from __future__ import annotations

from .backend import TrioBackend

__all__ = ("TrioBackend",)
