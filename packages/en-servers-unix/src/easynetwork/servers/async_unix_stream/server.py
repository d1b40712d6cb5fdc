# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from easynetwork.ancillary import CONTROL_BUFSIZE
from easynetwork.lowlevel.api_async.backend.utils import ensure_backend
from easynetwork.lowlevel.socket import UnixSocketAddress, UNIXSocketAttribute, get_peer_credentials
from easynetwork.lowlevel.streams import ByteStream, StreamListener
from easynetwork.lowlevel.unix_files import unix_address
from easynetwork.protocol import BufferedStreamProtocol, StreamProtocol
from easynetwork.servers.engine.arguments import check_options, check_range, check_type
from easynetwork.servers.engine.server import BaseAsyncNetworkServer
from easynetwork.servers.engine.stream_service import BACKLOG, MAX_RECV_SIZE, StreamService
from easynetwork.servers.handlers import AsyncStreamRequestHandler, UNIXClientAttribute
from easynetwork.servers.options import ServerLimits, ServerTimeouts

from .client import UnixStreamClient

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral
    from easynetwork.protocol import AnyStreamProtocolType

__all__ = ("AsyncUnixStreamServer",)

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class AsyncUnixStreamServer(BaseAsyncNetworkServer[StreamListener, UnixSocketAddress], Generic[_RequestT, _ResponseT]):
    """Serves a protocol over Unix stream sockets.

    Args:
        path: where to listen: a path, or an address. The empty path lets the system choose an abstract name (Linux). A socket file that a dead
            server has left is replaced; ours is removed when the server is closed.
        protocol: turns the peers' bytes into requests, and responses into bytes.
        request_handler: what to do with them.
        backend: the event loop's adapter or its name; None takes that of the running loop.
        backlog: connections that may wait to be accepted (512).
        mode: permissions of the socket file, which never has wider ones; None leaves them to the umask.
        max_recv_size: bytes that one read may bring (64 KiB).
        ancillary_bufsize: bytes of control messages that one read may bring (8 KiB). If it is given and ``limits`` are not, it alone bounds the
            descriptors of a read.
        limits: how much of the server its peers may take at most.
        timeouts: how long the server waits for its peers.
        log_client_connection: whether the coming and going of clients is logged as INFO (the default) or as DEBUG.
        logger: where to log; by default the logger of this module.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of range.
        RuntimeError: no backend was named, and no event loop runs.
    """

    def __init__(
        self,
        path: str | bytes | os.PathLike[str] | os.PathLike[bytes] | UnixSocketAddress,
        protocol: AnyStreamProtocolType[_ResponseT, _RequestT],
        request_handler: AsyncStreamRequestHandler[_RequestT, _ResponseT],
        backend: AsyncBackend | BuiltinAsyncBackendLiteral | None = None,
        *,
        backlog: int | None = None,
        mode: int | None = None,
        max_recv_size: int | None = None,
        ancillary_bufsize: int | None = None,
        limits: ServerLimits | None = None,
        timeouts: ServerTimeouts | None = None,
        log_client_connection: bool | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        address = unix_address(path)
        check_type("protocol", protocol, StreamProtocol, BufferedStreamProtocol)
        check_type("request_handler", request_handler, AsyncStreamRequestHandler)
        backlog = BACKLOG if backlog is None else check_range("backlog", backlog, 1)
        if mode is not None:
            check_range("mode", mode, 0, 0o777)
        max_recv_size = MAX_RECV_SIZE if max_recv_size is None else check_range("max_recv_size", max_recv_size, 1)
        if limits is None and ancillary_bufsize is not None:
            limits = ServerLimits(
                max_descriptors=None
            )  # who chooses the room for them has chosen how many there may be
        limits, timeouts = check_options(limits, timeouts)
        if ancillary_bufsize is None:
            ancillary_bufsize = CONTROL_BUFSIZE
        check_range("ancillary_bufsize", ancillary_bufsize, 1)
        backend = ensure_backend(backend)
        logger = logger or logging.getLogger(__package__)

        async def open_listeners() -> Sequence[StreamListener]:
            return [await backend.create_unix_stream_listener(address, backlog, mode=mode)]

        service = StreamService(
            open_listeners=open_listeners,
            client_attributes=_client_attributes,
            protocol=protocol,
            handler=request_handler,
            logger=logger,
            limits=limits,
            timeouts=timeouts,
            max_recv_size=max_recv_size,
            make_client=functools.partial(UnixStreamClient, ancillary_bufsize=ancillary_bufsize),
            connection_log_level=logging.DEBUG if log_client_connection is False else logging.INFO,
        )
        super().__init__(backend, service, logger)


def _client_attributes(stream: ByteStream) -> tuple[object, Mapping[Any, Callable[[], Any]]]:
    # Asked for now, because a connection that is gone has no addresses any more. A peer's credentials stay.
    peer_name = stream.extra(UNIXSocketAttribute.peername)
    local_name = stream.extra(UNIXSocketAttribute.sockname)
    sock = stream.extra(UNIXSocketAttribute.socket)
    return peer_name, {
        UNIXClientAttribute.socket: lambda: sock,
        UNIXClientAttribute.local_name: lambda: local_name,
        UNIXClientAttribute.peer_name: lambda: peer_name,
        UNIXClientAttribute.peer_credentials: functools.cache(functools.partial(get_peer_credentials, sock)),
    }
