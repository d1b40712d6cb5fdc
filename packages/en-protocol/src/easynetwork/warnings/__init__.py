# SPDX-License-Identifier: Apache-2.0
"""The categories of the warnings that easynetwork emits."""

from __future__ import annotations

__all__ = ("EasyNetworkWarning", "ManualBufferAllocationWarning")


class EasyNetworkWarning(UserWarning):
    """The base of all warnings of this framework."""


class ManualBufferAllocationWarning(EasyNetworkWarning):
    """A buffered protocol is used where the transport cannot write into the protocol's own
    buffer.
    """
