# SPDX-License-Identifier: Apache-2.0
"""What a request handler may say at its ``yield``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from .streams import RawControlMessage

__all__ = ("RecvAncillaryDataParams", "RecvParams")


class RecvAncillaryDataParams(NamedTuple):
    """How the control messages that came with a packet are to be delivered."""

    data_received: Callable[[list[RawControlMessage]], object]
    """Called with the raw messages before the packet is handed on, typically
    ``SocketAncillary().update_from_raw``.

    When it has returned, the descriptors in the messages are the handler's to close. If it raises,
    they are closed, and the handler gets `RuntimeError`.
    """


@dataclass(frozen=True, kw_only=True)
class RecvParams:
    """How to wait for the next packet.

    Bad values raise `ValueError` or `TypeError` where the record is built, that is at the ``yield``
    of the handler.
    """

    timeout: float | None = None
    """Seconds within which the whole packet must have come, or `TimeoutError` is thrown in; None is
    no limit."""

    recv_with_ancillary: RecvAncillaryDataParams | None = None
    """Also receive control messages, where the transport has them."""

    def __post_init__(self) -> None:
        _check_timeout(self.timeout)
        _check_ancillary(self.recv_with_ancillary)


def _check_timeout(timeout: object) -> None:
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"timeout: expected a number of seconds or None, got {timeout!r}")
    if not timeout >= 0:  # written so that NaN fails too
        raise ValueError(f"timeout: expected a number >= 0, got {timeout!r}")


def _check_ancillary(params: object) -> None:
    if not isinstance(params, RecvAncillaryDataParams | None):
        raise TypeError(f"recv_with_ancillary: expected RecvAncillaryDataParams or None, got {params!r}")
    if params is not None and not callable(params.data_received):
        raise TypeError(f"data_received: expected a function, got {params.data_received!r}")
