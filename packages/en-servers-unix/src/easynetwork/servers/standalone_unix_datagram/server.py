# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from easynetwork.lowlevel.socket import UnixSocketAddress
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.engine.standalone import BaseStandaloneNetworkServer

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral
    from easynetwork.protocol import DatagramProtocol
    from easynetwork.servers.async_unix_datagram.datagrams import UnnamedAddressesBehavior
    from easynetwork.servers.handlers import AsyncDatagramRequestHandler
    from easynetwork.servers.options import ServerLimits, ServerTimeouts

__all__ = ("StandaloneUnixDatagramServer",)

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class StandaloneUnixDatagramServer(BaseStandaloneNetworkServer[UnixSocketAddress], Generic[_RequestT, _ResponseT]):
    """Serves a protocol over Unix datagram sockets in the thread that calls `serve_forever`.

    It runs an `AsyncUnixDatagramServer`, which explains the arguments that are not below.

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
        protocol: DatagramProtocol[_ResponseT, _RequestT],
        request_handler: AsyncDatagramRequestHandler[_RequestT, _ResponseT],
        backend: AsyncBackend | BuiltinAsyncBackendLiteral | None = None,
        *,
        runner_options: Mapping[str, Any] | None = None,
        mode: int | None = None,
        unnamed_addresses_behavior: UnnamedAddressesBehavior | None = None,
        receive_ancillary_data: bool = False,
        ancillary_bufsize: int | None = None,
        limits: ServerLimits | None = None,
        timeouts: ServerTimeouts | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        super().__init__(
            backend,
            runner_options,
            lambda backend: AsyncUnixDatagramServer(
                path,
                protocol,
                request_handler,
                backend,
                mode=mode,
                unnamed_addresses_behavior=unnamed_addresses_behavior,
                receive_ancillary_data=receive_ancillary_data,
                ancillary_bufsize=ancillary_bufsize,
                limits=limits,
                timeouts=timeouts,
                logger=logger,
            ),
        )
