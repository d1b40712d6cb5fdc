# SPDX-License-Identifier: Apache-2.0
"""A server in a thread, beside the program's own work."""

from __future__ import annotations

import threading
import time

from .abc import AbstractNetworkServer

__all__ = ("NetworkServerThread",)


class NetworkServerThread(threading.Thread):
    """Runs the ``serve_forever()`` of a server.

    Args:
        server: what to run. It is not closed at the end: another thread can run it again.
        group: None, as for every thread.
        name: as for every thread.
        daemon: as for every thread.
    """

    def __init__(
        self,
        server: AbstractNetworkServer,
        group: None = None,
        name: str | None = None,
        *,
        daemon: bool | None = None,
    ) -> None:
        super().__init__(group=group, name=name, daemon=daemon)
        self._server = server
        self._is_up_or_over = threading.Event()

    def start(self) -> None:
        """Returns when the server accepts clients, or has failed; then the thread is over, and
        `threading.excepthook` was told why.
        """
        super().start()
        self._is_up_or_over.wait()

    def run(self) -> None:
        """Serves. Called by the thread itself."""
        try:
            self._server.serve_forever(is_up_event=self._is_up_or_over)
        finally:
            self._is_up_or_over.set()

    def join(self, timeout: float | None = None) -> None:
        """Shuts the server down, and waits for the end of the thread.

        Args:
            timeout: seconds to wait at most; `is_alive` tells whether they were enough.
        """
        if timeout is None:
            self._server.shutdown()
            super().join()
        else:
            deadline = time.monotonic() + timeout
            self._server.shutdown(timeout)
            super().join(max(deadline - time.monotonic(), 0))
