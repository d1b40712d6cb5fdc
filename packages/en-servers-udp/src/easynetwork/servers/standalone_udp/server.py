# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack

from easynetwork.lowlevel.socket import IPv4SocketAddress, IPv6SocketAddress
from easynetwork.servers.async_udp import AsyncUDPNetworkServer, UDPServerOptions
from easynetwork.servers.engine.standalone import BaseStandaloneNetworkServer, standalone_backend

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral
    from easynetwork.protocol import DatagramProtocol
    from easynetwork.servers.handlers import AsyncDatagramRequestHandler

__all__ = ("StandaloneUDPNetworkServer",)

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class StandaloneUDPNetworkServer(
    BaseStandaloneNetworkServer[IPv4SocketAddress | IPv6SocketAddress], Generic[_RequestT, _ResponseT]
):
    """Serves a protocol over UDP in the thread that calls `serve_forever`.

    It runs an `AsyncUDPNetworkServer`, which explains the arguments that are not below.

    Args:
        backend: the event loop's adapter or its name; None is ``"asyncio"``.
        runner_options: how the event loop is run, see `AsyncBackend.bootstrap`: ``{"loop_factory":
            uvloop.new_event_loop}``, for instance.

    Raises:
        TypeError, ValueError: as there.
        ModuleNotFoundError: the backend is not installed.
    """

    def __init__(
        self,
        host: str | Sequence[str] | None,
        port: int,
        protocol: DatagramProtocol[_ResponseT, _RequestT],
        request_handler: AsyncDatagramRequestHandler[_RequestT, _ResponseT],
        backend: AsyncBackend | BuiltinAsyncBackendLiteral | None = None,
        *,
        runner_options: Mapping[str, Any] | None = None,
        **options: Unpack[UDPServerOptions],
    ) -> None:
        server: AsyncUDPNetworkServer[_RequestT, _ResponseT] = AsyncUDPNetworkServer(
            host, port, protocol, request_handler, standalone_backend(backend), **options
        )
        super().__init__(server, runner_options)
