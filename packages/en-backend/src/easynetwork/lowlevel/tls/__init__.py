# SPDX-License-Identifier: Apache-2.0
"""TLS over any stream of bytes: one engine without I/O, one asynchronous stream over it, one record
of options.

The event loops' own TLS is not used: it holds hundreds of kilobytes for an idle connection on
asyncio and behaves differently on each loop.
"""

from __future__ import annotations

from .engine import TLSEngine
from .options import TLSOptions
from .stream import TLSStream

__all__ = ("TLSEngine", "TLSOptions", "TLSStream")
