# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import ssl as _ssl
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from easynetwork.lowlevel.socket import IPv4SocketAddress, IPv6SocketAddress
from easynetwork.servers.async_tcp import AsyncTCPNetworkServer
from easynetwork.servers.engine.standalone import BaseStandaloneNetworkServer

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral
    from easynetwork.protocol import AnyStreamProtocolType
    from easynetwork.servers.handlers import AsyncStreamRequestHandler
    from easynetwork.servers.options import ServerLimits, ServerTimeouts

__all__ = ("StandaloneTCPNetworkServer",)

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class StandaloneTCPNetworkServer(
    BaseStandaloneNetworkServer[IPv4SocketAddress | IPv6SocketAddress], Generic[_RequestT, _ResponseT]
):
    """Serves a protocol over TCP in the thread that calls `serve_forever`.

    It runs an `AsyncTCPNetworkServer`, which explains the arguments that are not below.

    Args:
        backend: the event loop's adapter or its name; None is ``"asyncio"``.
        runner_options: how the event loop is run, see `AsyncBackend.bootstrap`: ``{"loop_factory": uvloop.new_event_loop}``, for instance.

    Raises:
        TypeError, ValueError: as there.
        ModuleNotFoundError: the backend is not installed.
    """

    def __init__(
        self,
        host: str | Sequence[str] | None,
        port: int,
        protocol: AnyStreamProtocolType[_ResponseT, _RequestT],
        request_handler: AsyncStreamRequestHandler[_RequestT, _ResponseT],
        backend: AsyncBackend | BuiltinAsyncBackendLiteral | None = None,
        *,
        runner_options: Mapping[str, Any] | None = None,
        ssl: _ssl.SSLContext | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        ssl_standard_compatible: bool | None = None,
        backlog: int | None = None,
        reuse_port: bool = False,
        max_recv_size: int | None = None,
        limits: ServerLimits | None = None,
        timeouts: ServerTimeouts | None = None,
        log_client_connection: bool | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        super().__init__(
            backend,
            runner_options,
            lambda backend: AsyncTCPNetworkServer(
                host,
                port,
                protocol,
                request_handler,
                backend,
                ssl=ssl,
                ssl_handshake_timeout=ssl_handshake_timeout,
                ssl_shutdown_timeout=ssl_shutdown_timeout,
                ssl_standard_compatible=ssl_standard_compatible,
                backlog=backlog,
                reuse_port=reuse_port,
                max_recv_size=max_recv_size,
                limits=limits,
                timeouts=timeouts,
                log_client_connection=log_client_connection,
                logger=logger,
            ),
        )
