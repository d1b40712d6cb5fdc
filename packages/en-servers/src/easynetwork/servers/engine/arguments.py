# SPDX-License-Identifier: Apache-2.0
"""What the constructors of servers are given, checked where it is given."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from easynetwork.lowlevel.defaults import MAX_RECV_SIZE
from easynetwork.lowlevel.streams import ByteStream
from easynetwork.protocol import BufferedStreamProtocol, StreamProtocol

from ..handlers import AsyncStreamRequestHandler
from ..options import ServerLimits, ServerOptions, ServerTimeouts, StreamServerOptions
from .settings import BACKLOG, Established, PeerAttributes, StreamSettings, no_tls

if TYPE_CHECKING:
    from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
    from easynetwork.protocol import AnyStreamProtocolType

__all__ = (
    "check_drain",
    "check_host",
    "check_names",
    "check_options",
    "check_range",
    "check_type",
    "get_backlog",
    "stream_settings",
)

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


def check_type(name: str, value: object, *kinds: type) -> None:
    """Raises `TypeError` if ``value`` is of none of the kinds."""
    if not isinstance(value, kinds) or isinstance(value, bool):  # a bool is an int by inheritance only
        raise TypeError(f"{name}: expected {' or '.join(kind.__name__ for kind in kinds)}, got {type(value).__name__}")


def check_host(host: str | Sequence[str] | None) -> None:
    """Raises `TypeError` or `ValueError` if ``host`` is nothing that can be bound."""
    if host is None or isinstance(host, str):
        return
    check_type("host", host, str, Sequence)
    if not host:
        raise ValueError("host: expected at least one address; None stands for all interfaces")
    for one in host:
        check_type("host", one, str)


def check_range(name: str, value: int, low: int, high: int | None = None) -> int:
    """Returns ``value``, or raises `TypeError` or `ValueError`; ``high`` is allowed, None is no
    limit.
    """
    check_type(name, value, int)
    if value < low or (high is not None and value > high):
        raise ValueError(f"{name}: expected {f'{low} or more' if high is None else f'{low} to {high}'}, got {value}")
    return value


def check_names(server: object, options: Mapping[str, object], kind: type) -> None:
    """Raises `TypeError`, as Python would, if an option is none of ``kind``, a `TypedDict`."""
    for name in options.keys() - kind.__annotations__.keys():
        raise TypeError(f"{type(server).__name__}() got an unexpected keyword argument {name!r}")


def check_options(options: ServerOptions, module: str | None) -> tuple[ServerLimits, ServerTimeouts, logging.Logger]:
    """Returns what was given, or the defaults; raises `TypeError`.

    Args:
        options: what was given.
        module: whose logger is the default.
    """
    limits = options.get("limits") or ServerLimits()
    timeouts = options.get("timeouts") or ServerTimeouts()
    check_type("limits", limits, ServerLimits)
    check_type("timeouts", timeouts, ServerTimeouts)
    return limits, timeouts, options.get("logger") or logging.getLogger(module)


def get_backlog(options: StreamServerOptions) -> int:
    """Returns the backlog that was given, or the default; raises `TypeError` or `ValueError`."""
    backlog = options.get("backlog")
    return BACKLOG if backlog is None else check_range("backlog", backlog, 1)


def stream_settings(
    protocol: AnyStreamProtocolType[_ResponseT, _RequestT],
    handler: AsyncStreamRequestHandler[_RequestT, _ResponseT],
    backend: AsyncBackend,
    options: StreamServerOptions,
    *,
    module: str | None,
    describe_peer: Callable[[ByteStream], tuple[object, PeerAttributes]],
    establish: Callable[[ByteStream], Awaitable[Established]] = no_tls,
    ancillary_bufsize: int = 0,
) -> StreamSettings[_RequestT, _ResponseT]:
    """Makes the settings of a stream server; raises `TypeError` or `ValueError`.

    Args:
        module: whose logger is the default.
    """
    check_type("protocol", protocol, StreamProtocol, BufferedStreamProtocol)
    check_type("request_handler", handler, AsyncStreamRequestHandler)
    max_recv_size = options.get("max_recv_size")
    limits, timeouts, logger = check_options(options, module)
    return StreamSettings(
        backend=backend,
        protocol=protocol,
        handler=handler,
        logger=logger,
        describe_peer=describe_peer,
        establish=establish,
        limits=limits,
        timeouts=timeouts,
        max_recv_size=MAX_RECV_SIZE if max_recv_size is None else check_range("max_recv_size", max_recv_size, 1),
        ancillary_bufsize=ancillary_bufsize,
        connection_log_level=logging.DEBUG if options.get("log_client_connection") is False else logging.INFO,
    )


def check_drain(drain: float | None) -> None:
    """Raises `TypeError` or `ValueError` if ``drain`` is no time that handlers could be given; 0 is
    one.
    """
    if drain is None:
        return
    check_type("drain", drain, int, float)
    if not drain >= 0:  # written so that NaN fails too
        raise ValueError(f"drain: expected 0 seconds or more, got {drain!r}")
