# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Protocol, TypeVar, overload

__all__ = ("ISocket", "SocketProxy", "SupportsSocketOptions")

T = TypeVar("T")

Lock = AbstractContextManager[Any]


class SupportsSocketOptions(Protocol):
    """Something whose socket options can be read and set."""

    @overload
    @abstractmethod
    def getsockopt(self, level: int, optname: int, /) -> int: ...

    @overload
    @abstractmethod
    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...

    @abstractmethod
    def getsockopt(self, *args: int) -> int | bytes:
        """See `socket.socket.getsockopt`."""

    @overload
    @abstractmethod
    def setsockopt(self, level: int, optname: int, value: int | bytes, /) -> None: ...

    @overload
    @abstractmethod
    def setsockopt(self, level: int, optname: int, value: None, optlen: int, /) -> None: ...

    @abstractmethod
    def setsockopt(self, *args: Any) -> None:
        """See `socket.socket.setsockopt`."""


class ISocket(SupportsSocketOptions, Protocol):
    """What may be asked of a socket that belongs to somebody else: no I/O, and nothing that closes
    it.
    """

    @property
    @abstractmethod
    def family(self) -> int:
        """The address family."""

    @property
    @abstractmethod
    def type(self) -> int:
        """The socket type."""

    @property
    @abstractmethod
    def proto(self) -> int:
        """The protocol number."""

    @abstractmethod
    def fileno(self) -> int:
        """The descriptor, -1 once the socket is closed."""

    @abstractmethod
    def get_inheritable(self) -> bool:
        """Tells whether child processes inherit the descriptor."""

    @abstractmethod
    def getsockname(self) -> Any:
        """The local address, as the `socket` module gives it."""

    @abstractmethod
    def getpeername(self) -> Any:
        """The address of the other end, as the `socket` module gives it."""


class SocketProxy:
    """A view of a socket that can neither read, write nor close it.

    Args:
        socket: the socket, which stays its owner's.
        lock: held during each call; also a function that gives it.
        runner: executes each call and returns its result, for instance in the thread of an event
            loop.
    """

    def __init__(
        self,
        socket: ISocket,
        *,
        lock: Lock | Callable[[], Lock] | None = None,
        runner: Callable[[Callable[[], Any]], Any] | None = None,
    ) -> None:
        self._socket = socket
        self._lock: Lock | Callable[[], Lock] = nullcontext if lock is None else lock
        self._runner = runner

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._socket!r}>"

    def _call(self, func: Callable[..., T], *args: Any) -> T:
        with self._lock() if callable(self._lock) else self._lock:
            return func(*args) if self._runner is None else self._runner(partial(func, *args))

    @property
    def family(self) -> int:
        return self._socket.family

    @property
    def type(self) -> int:
        return self._socket.type

    @property
    def proto(self) -> int:
        return self._socket.proto

    def fileno(self) -> int:
        return self._call(self._socket.fileno)

    def get_inheritable(self) -> bool:
        return self._call(self._socket.get_inheritable)

    def getsockname(self) -> Any:
        return self._call(self._socket.getsockname)

    def getpeername(self) -> Any:
        return self._call(self._socket.getpeername)

    @overload
    def getsockopt(self, level: int, optname: int, /) -> int: ...

    @overload
    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...

    def getsockopt(self, *args: int) -> int | bytes:
        return self._call(self._socket.getsockopt, *args)

    @overload
    def setsockopt(self, level: int, optname: int, value: int | bytes, /) -> None: ...

    @overload
    def setsockopt(self, level: int, optname: int, value: None, optlen: int, /) -> None: ...

    def setsockopt(self, *args: Any) -> None:
        self._call(self._socket.setsockopt, *args)
