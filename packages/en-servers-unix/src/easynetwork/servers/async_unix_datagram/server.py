# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack, get_args

from easynetwork.ancillary import CONTROL_BUFSIZE
from easynetwork.lowlevel.api_async.backend.utils import ensure_backend
from easynetwork.lowlevel.socket import UnixSocketAddress, UNIXSocketAttribute
from easynetwork.lowlevel.unix_files import unix_address
from easynetwork.protocol import DatagramProtocol
from easynetwork.servers.engine.arguments import check_names, check_options, check_range, check_type
from easynetwork.servers.engine.datagram_service import DatagramService
from easynetwork.servers.engine.datagram_source import DatagramSource
from easynetwork.servers.engine.server import BaseAsyncNetworkServer
from easynetwork.servers.engine.settings import DatagramSettings
from easynetwork.servers.handlers import AsyncDatagramRequestHandler, UNIXClientAttribute
from easynetwork.servers.options import ServerLimits, ServerOptions

from .datagrams import (
    AnyDatagram,
    ControlDatagramReader,
    ControlDatagramSource,
    UnnamedAddressesBehavior,
    send_with_control,
)

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.lowlevel.api_async.backend.utils import BuiltinAsyncBackendLiteral

__all__ = ("AsyncUnixDatagramServer", "UnixDatagramServerOptions")

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


class UnixDatagramServerOptions(ServerOptions, total=False):
    """Keyword arguments of the servers of Unix datagrams."""

    mode: int | None
    """Permissions of the socket file, which never has wider ones; None, the default, leaves them to
    the umask."""

    unnamed_addresses_behavior: UnnamedAddressesBehavior | None
    """What to do with datagrams of sockets that are bound to nothing, and cannot be answered:
    ``"ignore"`` (the default), ``"warn"`` (the same, with a line in the log), or ``"handle"``, all
    as one peer."""

    receive_ancillary_data: bool
    """Whether control messages are received, for handlers that ask for them; False by default."""

    ancillary_bufsize: int | None
    """Bytes of control messages that one datagram may bring (8 KiB). If it is given and ``limits``
    are not, it alone bounds the descriptors of a datagram."""


class AsyncUnixDatagramServer(
    BaseAsyncNetworkServer[DatagramSource[AnyDatagram], UnixSocketAddress], Generic[_RequestT, _ResponseT]
):
    """Serves a protocol over Unix datagram sockets.

    Args:
        path: where to receive: a path, or an address. The empty path lets the system choose an
            abstract name (Linux). A socket file that a dead server has left is replaced; ours is
            removed when the server is closed.
        protocol: turns datagrams into requests, and responses into datagrams.
        request_handler: what to do with them.
        backend: the event loop's adapter or its name; None takes that of the running loop.
        options: those of `UnixDatagramServerOptions`, by name.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of range.
        RuntimeError: no backend was named, and no event loop runs.
    """

    def __init__(
        self,
        path: str | bytes | os.PathLike[str] | os.PathLike[bytes] | UnixSocketAddress,
        protocol: DatagramProtocol[_ResponseT, _RequestT],
        request_handler: AsyncDatagramRequestHandler[_RequestT, _ResponseT],
        backend: AsyncBackend | BuiltinAsyncBackendLiteral | None = None,
        **options: Unpack[UnixDatagramServerOptions],
    ) -> None:
        check_names(self, options, UnixDatagramServerOptions)
        address = unix_address(path)
        check_type("protocol", protocol, DatagramProtocol)
        check_type("request_handler", request_handler, AsyncDatagramRequestHandler)
        mode, receives_control = options.get("mode"), options.get("receive_ancillary_data", False)
        if mode is not None:
            check_range("mode", mode, 0, 0o777)
        unnamed: UnnamedAddressesBehavior = options.get("unnamed_addresses_behavior") or "ignore"
        if unnamed not in get_args(UnnamedAddressesBehavior):
            choices = ", ".join(map(repr, get_args(UnnamedAddressesBehavior)))
            raise ValueError(f"unnamed_addresses_behavior: expected one of {choices}, got {unnamed!r}")
        bufsize = _control_bufsize(receives_control, options.get("ancillary_bufsize"))
        if options.get("limits") is None and options.get("ancillary_bufsize") is not None:
            # Who chooses the room for descriptors has chosen how many there may be.
            options["limits"] = ServerLimits(max_descriptors=None)
        limits, timeouts, logger = check_options(options, __package__)
        backend = ensure_backend(backend)

        async def open_listeners() -> Sequence[DatagramSource[AnyDatagram]]:
            listener = await backend.create_unix_datagram_listener(address, mode=mode)
            return [
                ControlDatagramSource(
                    listener, bufsize, unnamed, logger, lambda: service.settings.limits.max_descriptors
                )
            ]

        settings: DatagramSettings[AnyDatagram, _RequestT, _ResponseT] = DatagramSettings(
            backend=backend,
            protocol=protocol,
            handler=request_handler,
            logger=logger,
            peer_name=_peer_name,
            describe_peer=_describe_peer,
            reader=ControlDatagramReader(protocol, receives_control=receives_control),
            send_with_control=send_with_control,
            limits=limits,
            timeouts=timeouts,
        )
        service = DatagramService(settings)
        super().__init__(backend, service, open_listeners, logger)


def _control_bufsize(receive_ancillary_data: bool, ancillary_bufsize: int | None) -> int:
    if ancillary_bufsize is not None:
        check_range("ancillary_bufsize", ancillary_bufsize, 1)
        if not receive_ancillary_data:
            raise ValueError("ancillary_bufsize: means nothing without receive_ancillary_data=True")
        return ancillary_bufsize
    return CONTROL_BUFSIZE if receive_ancillary_data else 0


def _peer_name(source: ControlDatagramSource, address: Any) -> UnixSocketAddress:
    return UnixSocketAddress.from_raw(address)


def _describe_peer(source: ControlDatagramSource, address: Any) -> Mapping[Any, Callable[[], Any]]:
    return {
        UNIXClientAttribute.socket: lambda: source.extra(UNIXSocketAttribute.socket),
        UNIXClientAttribute.local_name: lambda: source.extra(UNIXSocketAttribute.sockname),
        UNIXClientAttribute.peer_name: lambda: _peer_name(source, address),
    }
