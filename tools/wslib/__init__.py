# SPDX-License-Identifier: Apache-2.0
"""The parts of ``tools/ws``, one noun each.

Standard library only, so that a bare Python can run it.
"""

from __future__ import annotations
