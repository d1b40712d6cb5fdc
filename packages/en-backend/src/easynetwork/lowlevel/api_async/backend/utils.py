# SPDX-License-Identifier: Apache-2.0
"""How a backend is chosen."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from .abc import AsyncBackend

__all__ = (
    "BuiltinAsyncBackendLiteral",
    "call_outside_tasks",
    "ensure_backend",
    "new_builtin_backend",
    "refuse_nested_event_loop",
    "running_library",
)

BuiltinAsyncBackendLiteral = Literal["asyncio", "trio"]

_ENTRY_POINT_GROUP = "easynetwork.backends"
_DISTRIBUTIONS = {"asyncio": "en-backend-asyncio", "trio": "en-backend-trio"}

_instances: dict[str, AsyncBackend] = {}
_instances_lock = threading.Lock()


def ensure_backend(backend: str | AsyncBackend | None) -> AsyncBackend:
    """The backend that ``backend`` means: itself, the one of that name, or for None the one of the
    running event loop.

    Raises:
        RuntimeError: None was given, and no event loop is running.
        Exception: as in `new_builtin_backend`.
        TypeError: it is something else.
    """
    match backend:
        case AsyncBackend():
            return backend
        case str():
            return new_builtin_backend(backend)
        case None:
            return new_builtin_backend(running_library())
        case _:
            raise TypeError(f"backend: expected None, a name or an AsyncBackend, got {backend!r}")


def new_builtin_backend(name: BuiltinAsyncBackendLiteral | str) -> AsyncBackend:
    """The backend that is installed under ``name``, which may be a third party's; always the same
    instance.

    Raises:
        ImportError: it is one of easynetwork's own, and its distribution is not installed; or what
            is installed cannot be imported.
        ValueError: nothing installed has that name, or more than one distribution has.
        TypeError: what is installed is no backend.
    """
    with _instances_lock:
        if name not in _instances:
            _instances[name] = _load_backend(name)
        return _instances[name]


def _load_backend(name: str) -> AsyncBackend:
    installed = entry_points(group=_ENTRY_POINT_GROUP)
    match tuple(installed.select(name=name)):
        case (entry_point,):
            return _load_class(entry_point)()
        case ():
            raise _not_installed(name, sorted(installed.names))
        case several:
            # Which one came first would be an accident of sys.path.
            claims = " and ".join(_describe(entry_point) for entry_point in several)
            raise ValueError(f"the backend {name!r} is ambiguous: uninstall one of {claims}")


def _load_class(entry_point: EntryPoint) -> type[AsyncBackend]:
    try:
        found: object = entry_point.load()
    except Exception as exc:
        raise ImportError(
            f"cannot import the backend {entry_point.name!r} ({_describe(entry_point)}): {type(exc).__name__}: {exc}"
        ) from exc
    if not (isinstance(found, type) and issubclass(found, AsyncBackend)):
        raise TypeError(f"the backend {entry_point.name!r} ({_describe(entry_point)}) is no class of AsyncBackend")
    return found


def _describe(entry_point: EntryPoint) -> str:
    owner = f" of {entry_point.dist.name}" if entry_point.dist is not None else ""
    return f"the entry point {entry_point.value!r}{owner}"


def _not_installed(name: str, installed: list[str]) -> Exception:
    if name in _DISTRIBUTIONS:
        return ModuleNotFoundError(
            f"the backend {name!r} is not installed: install the distribution {_DISTRIBUTIONS[name]}"
        )
    return ValueError(f"unknown backend {name!r}, installed are: {', '.join(installed) or 'none'}")


def running_library() -> str:
    """The name of the library whose event loop is running in this thread, ``"asyncio"`` for
    instance.

    Raises:
        RuntimeError: none is.
    """
    # Every library but asyncio announces itself to sniffio, which is there if one of them is.
    sniffio: Any = sys.modules.get("sniffio")
    if sniffio is not None:
        with suppress(sniffio.AsyncLibraryNotFoundError):
            library = str(sniffio.current_async_library())
            if (
                library != "asyncio"
            ):  # of which it has heard in a context variable, that other threads may have a copy of
                return library
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        return "asyncio"
    raise RuntimeError(
        "no event loop is running that could decide for a backend;"
        " pass backend='asyncio', backend='trio' or an AsyncBackend"
    )


def refuse_nested_event_loop() -> None:
    """To be called before an event loop is made, because some are made first and cannot be closed
    then.

    Raises:
        RuntimeError: an event loop is running in this thread already.
    """
    try:
        library = running_library()
    except RuntimeError:
        return
    raise RuntimeError(f"an event loop is running in this thread already ({library})")


def call_outside_tasks(func: Callable[[], object]) -> None:
    """Calls ``func`` in a callback of an asyncio event loop, where anyio has to know it all the
    same.
    """
    # If sniffio is there, anyio asks it for the event loop; it sees asyncio only in tasks.
    sniffio: Any = sys.modules.get("sniffio")
    if sniffio is not None:
        sniffio.current_async_library_cvar.set("asyncio")
    func()
