# SPDX-License-Identifier: Apache-2.0
"""How a program that does nothing but serve ends when it is told to."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from types import FrameType

__all__ = ("ending_by_signals",)


class _Ended(SystemExit, KeyboardInterrupt):
    """Ctrl-C for those who catch that; for all others the end of the program, with a status and
    without a traceback.
    """


@contextmanager
def ending_by_signals(stops: Sequence[Callable[[], object]]) -> Generator[None]:
    """Has the service inside ended by Ctrl-C, which is the event loop's own affair, and by SIGTERM,
    for which one of ``stops`` is called in another thread.

    Each SIGTERM calls the next one; after the last, one more ends the process at once. Does nothing
    outside of the main thread, and leaves SIGTERM alone if the program handles it itself.

    Raises:
        KeyboardInterrupt: a signal has ended the service. If nobody catches it, the process ends
            with the status that shells have for the signal, 128 and its number.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _at_sigterm(stops) as was_terminated:
        try:
            yield
        except KeyboardInterrupt:
            raise _Ended(128 + signal.SIGINT) from None
    if was_terminated():
        raise _Ended(128 + signal.SIGTERM)


@contextmanager
def _at_sigterm(stops: Sequence[Callable[[], object]]) -> Generator[Callable[[], bool]]:
    """Gives a function that tells whether the signal came."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield lambda: False
        return
    has_come = False
    left = list(stops)
    # A signal's handler interrupts the event loop anywhere, also where that holds a lock. So
    # another thread stops it, told by the one thing that the standard library has for such places
    # (`SimpleQueue.put`).
    news: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()

    def tell(number: int, frame: FrameType | None) -> None:
        nonlocal has_come
        has_come = True
        news.put(left.pop(0))
        if not left:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def wait() -> None:
        while (stop := news.get()) is not None:
            stop()

    waiter = threading.Thread(target=wait, name="easynetwork-sigterm", daemon=True)
    waiter.start()
    signal.signal(signal.SIGTERM, tell)
    try:
        yield lambda: has_come
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        news.put(None)
        waiter.join()
