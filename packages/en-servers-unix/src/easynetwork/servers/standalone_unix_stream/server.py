# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from easynetwork.lowlevel.socket import UnixSocketAddress
from easynetwork.servers.async_unix_stream import AsyncUnixStreamServer
from easynetwork.servers.engine.standalone import BaseStandaloneNetworkServer

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral
    from easynetwork.protocol import AnyStreamProtocolType
    from easynetwork.servers.handlers import AsyncStreamRequestHandler
    from easynetwork.servers.options import ServerLimits, ServerTimeouts

__all__ = ("StandaloneUnixStreamServer",)

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class StandaloneUnixStreamServer(BaseStandaloneNetworkServer[UnixSocketAddress], Generic[_RequestT, _ResponseT]):
    """Serves a protocol over Unix stream sockets in the thread that calls `serve_forever`.

    It runs an `AsyncUnixStreamServer`, which explains the arguments that are not below.

    Args:
        backend: the event loop's adapter or its name; None is ``"asyncio"``.
        runner_options: how the event loop is run, see `AsyncBackend.bootstrap`: ``{"loop_factory": uvloop.new_event_loop}``, for instance.

    Raises:
        TypeError, ValueError: as there.
        ModuleNotFoundError: the backend is not installed.
    """

    def __init__(
        self,
        path: str | bytes | os.PathLike[str] | os.PathLike[bytes] | UnixSocketAddress,
        protocol: AnyStreamProtocolType[_ResponseT, _RequestT],
        request_handler: AsyncStreamRequestHandler[_RequestT, _ResponseT],
        backend: AsyncBackend | BuiltinAsyncBackendLiteral | None = None,
        *,
        runner_options: Mapping[str, Any] | None = None,
        backlog: int | None = None,
        mode: int | None = None,
        max_recv_size: int | None = None,
        ancillary_bufsize: int | None = None,
        limits: ServerLimits | None = None,
        timeouts: ServerTimeouts | None = None,
        log_client_connection: bool | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        super().__init__(
            backend,
            runner_options,
            lambda backend: AsyncUnixStreamServer(
                path,
                protocol,
                request_handler,
                backend,
                backlog=backlog,
                mode=mode,
                max_recv_size=max_recv_size,
                ancillary_bufsize=ancillary_bufsize,
                limits=limits,
                timeouts=timeouts,
                log_client_connection=log_client_connection,
                logger=logger,
            ),
        )
