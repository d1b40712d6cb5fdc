# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import settings

# The same examples in every run, and no time limit for one of them: a red build is red for
# everybody, however slow a machine is.
settings.load_profile("ci")
