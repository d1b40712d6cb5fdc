# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack

from easynetwork.ancillary import CONTROL_BUFSIZE
from easynetwork.lowlevel.api_async.backend.utils import ensure_backend
from easynetwork.lowlevel.socket import (
    ISocket,
    UnixCredentials,
    UnixSocketAddress,
    UNIXSocketAttribute,
    get_peer_credentials,
)
from easynetwork.lowlevel.streams import ByteStream, StreamListener
from easynetwork.lowlevel.unix_files import unix_address
from easynetwork.servers.engine.arguments import check_names, check_range, get_backlog, stream_settings
from easynetwork.servers.engine.server import BaseAsyncNetworkServer
from easynetwork.servers.engine.settings import PeerAttributes
from easynetwork.servers.engine.stream_service import StreamService
from easynetwork.servers.handlers import AsyncStreamRequestHandler, UNIXClientAttribute
from easynetwork.servers.options import ServerLimits, StreamServerOptions

from .connection import UnixStreamConnection

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral
    from easynetwork.protocol import AnyStreamProtocolType

__all__ = ("AsyncUnixStreamServer", "UnixStreamServerOptions")

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class UnixStreamServerOptions(StreamServerOptions, total=False):
    """Keyword arguments of the servers of Unix streams. None is the default of each."""

    mode: int | None
    """Permissions of the socket file, which never has wider ones; None leaves them to the umask."""

    ancillary_bufsize: int | None
    """Bytes of control messages that one read may bring (8 KiB). If it is given and ``limits`` are
    not, it alone bounds the descriptors of a read."""


class AsyncUnixStreamServer(BaseAsyncNetworkServer[StreamListener, UnixSocketAddress], Generic[_RequestT, _ResponseT]):
    """Serves a protocol over Unix stream sockets.

    Args:
        path: where to listen: a path, or an address. The empty path lets the system choose an
            abstract name (Linux). A socket file that a dead server has left is replaced; ours is
            removed when the server is closed.
        protocol: turns the peers' bytes into requests, and responses into bytes.
        request_handler: what to do with them.
        backend: the event loop's adapter or its name; None takes that of the running loop.
        options: those of `UnixStreamServerOptions`, by name.

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
        **options: Unpack[UnixStreamServerOptions],
    ) -> None:
        check_names(self, options, UnixStreamServerOptions)
        address = unix_address(path)
        backlog, mode, bufsize = get_backlog(options), options.get("mode"), options.get("ancillary_bufsize")
        if mode is not None:
            check_range("mode", mode, 0, 0o777)
        if bufsize is None:
            bufsize = CONTROL_BUFSIZE
        elif options.get("limits") is None:  # who chooses the room for descriptors has chosen how many there may be
            options["limits"] = ServerLimits(max_descriptors=None)
        check_range("ancillary_bufsize", bufsize, 1)
        backend = ensure_backend(backend)
        settings = stream_settings(
            protocol,
            request_handler,
            backend,
            options,
            module=__package__,
            describe_peer=_describe_peer,
            ancillary_bufsize=bufsize,
        )

        async def open_listeners() -> Sequence[StreamListener]:
            return [await backend.create_unix_stream_listener(address, backlog, mode=mode)]

        super().__init__(backend, StreamService(settings, UnixStreamConnection), open_listeners, settings.logger)


def _describe_peer(stream: ByteStream) -> tuple[object, PeerAttributes]:
    # Asked for now, because a connection that is gone has no addresses any more. A peer's
    # credentials stay.
    peer_name, sock = stream.extra(UNIXSocketAttribute.peername), stream.extra(UNIXSocketAttribute.socket)
    credentials = functools.cache(functools.partial(get_peer_credentials, sock))
    return peer_name, functools.partial(
        _attributes, sock, stream.extra(UNIXSocketAttribute.sockname), peer_name, credentials
    )


def _attributes(
    sock: ISocket,
    local_name: UnixSocketAddress,
    peer_name: UnixSocketAddress,
    credentials: Callable[[], UnixCredentials],
) -> Mapping[Any, Callable[[], Any]]:
    return {
        UNIXClientAttribute.socket: lambda: sock,
        UNIXClientAttribute.local_name: lambda: local_name,
        UNIXClientAttribute.peer_name: lambda: peer_name,
        UNIXClientAttribute.peer_credentials: credentials,
    }
