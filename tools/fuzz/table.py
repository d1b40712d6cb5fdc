# SPDX-License-Identifier: Apache-2.0
"""All targets."""

from __future__ import annotations

from .control import control_messages, control_queue
from .deserializers import deserializers
from .pickles import pickles
from .target import Target

__all__ = ("TARGETS",)

TARGETS: dict[str, Target] = {
    **deserializers(),
    "pickle": pickles(),
    "control-messages": control_messages(),
    "control-queue": control_queue(),
}
