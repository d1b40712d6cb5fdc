# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import settings

# The same examples in every run: a red build is red for everybody.
settings.register_profile("en-protocol", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("en-protocol")
