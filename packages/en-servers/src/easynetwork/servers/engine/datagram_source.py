# SPDX-License-Identifier: Apache-2.0
"""Where a datagram server's datagrams come from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from easynetwork.lowlevel.datagrams import DatagramListener
from easynetwork.lowlevel.typed_attr import TypedAttributeProvider

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import Runtime

__all__ = ("DatagramSource", "WrappedListener")

_DatagramT_co = TypeVar("_DatagramT_co", covariant=True)
_ListenerT = TypeVar("_ListenerT", bound=DatagramListener)


class DatagramSource(Protocol[_DatagramT_co]):
    """A `DatagramListener`, or one whose datagrams are more than bytes. Addresses are hashable."""

    @property
    def send_timeout(self) -> float: ...

    @send_timeout.setter
    def send_timeout(self, seconds: float) -> None: ...

    def receive(self) -> Awaitable[tuple[_DatagramT_co, Any]]: ...

    def interrupt_receive(self, error: Exception) -> None: ...

    def send_nowait(self, data: bytes, address: Any) -> bool: ...

    async def send(self, data: bytes, address: Any) -> None: ...

    def is_closing(self) -> bool: ...

    async def aclose(self) -> None: ...

    def backend(self) -> Runtime: ...

    @property
    def extra(self) -> Callable[..., Any]: ...


class WrappedListener(TypedAttributeProvider, Generic[_ListenerT]):
    """What a `DatagramSource` has of the listener that it is made of."""

    def __init__(self, listener: _ListenerT) -> None:
        self._listener = listener

    @property
    def send_timeout(self) -> float:
        return self._listener.send_timeout

    @send_timeout.setter
    def send_timeout(self, seconds: float) -> None:
        self._listener.send_timeout = seconds

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return self._listener.extra_attributes

    def interrupt_receive(self, error: Exception) -> None:
        self._listener.interrupt_receive(error)

    def backend(self) -> Runtime:
        return self._listener.backend()

    def is_closing(self) -> bool:
        return self._listener.is_closing()

    async def aclose(self) -> None:
        await self._listener.aclose()
