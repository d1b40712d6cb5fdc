# SPDX-License-Identifier: Apache-2.0
"""Outgoing connections of Unix sockets without an event loop."""

from __future__ import annotations

import contextlib
import errno
import math
import socket as _socket
import time
from typing import TYPE_CHECKING

from easynetwork.lowlevel.backoff import backoff
from easynetwork.lowlevel.unix_files import SocketFile, bind_unix_socket

from ._time_limits import deadline_after, remaining

if TYPE_CHECKING:
    from easynetwork.lowlevel.socket import UnixSocketAddress

__all__ = ("connect_unix",)


def connect_unix(
    address: UnixSocketAddress, kind: int, *, local_address: UnixSocketAddress | None, timeout: float | None = None
) -> tuple[_socket.socket, SocketFile | None]:
    """Connects to ``address``; the socket does not block.

    The file is that of ``local_address``, if it has one.

    Raises:
        TimeoutError: the server's queue was full for ``timeout`` seconds.
        OSError: nobody is there, or one of the addresses is not allowed.
    """
    deadline = deadline_after(timeout)
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(_socket.socket(_socket.AF_UNIX, kind))
        sock.setblocking(False)
        file = None if local_address is None else bind_unix_socket(sock, local_address)
        if file is not None:
            stack.callback(file.remove)
        _connect(sock, address, deadline)
        stack.pop_all()
        return sock, file


def _connect(sock: _socket.socket, address: UnixSocketAddress, deadline: float) -> None:
    for pause in backoff():
        try:
            return sock.connect(address.as_raw())
        except BlockingIOError:
            # The queue of those who wait to be accepted is full, and nothing tells when it has room
            # (connect(2), EAGAIN).
            left = remaining(deadline)
        except OSError as exc:
            number = exc.errno or errno.ENAMETOOLONG  # which Python finds out itself
            raise OSError(number, f"cannot connect to '{address}': {exc.strerror or exc}") from None
        if left == 0:
            raise TimeoutError(errno.ETIMEDOUT, f"'{address}' has not accepted in time")
        time.sleep(min(pause, math.inf if left is None else left))
