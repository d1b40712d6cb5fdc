# SPDX-License-Identifier: Apache-2.0
"""Unix sockets and the files that they leave: made with the right permissions, replaced when dead,
removed when still ours.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket as _socket
import stat
import sys
import threading
from collections.abc import Generator
from typing import Final

from .socket import UnixSocketAddress

__all__ = ("SocketFile", "UnixPath", "bind_unix_socket", "unix_address")

UnixPath = str | bytes | os.PathLike[str] | os.PathLike[bytes] | UnixSocketAddress
"""What users give for an address."""

_LINUX: Final = sys.platform == "linux"


def unix_address(path: UnixPath) -> UnixSocketAddress:
    """The address that a user's ``path`` stands for.

    Raises:
        ValueError: there is a null character in the path.
    """
    return path if isinstance(path, UnixSocketAddress) else UnixSocketAddress.from_pathname(path)


class SocketFile:
    """The file of a bound socket.

    Args:
        path: where it is now; relative paths are remembered as absolute ones.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        self._identity = _identity(os.lstat(self._path))

    @property
    def path(self) -> str:
        return self._path

    def remove(self) -> None:
        """Removes the file, unless another one has taken its place.

        Raises:
            OSError: it is there and cannot be removed.
        """
        try:
            if _identity(os.lstat(self._path)) == self._identity:
                os.unlink(self._path)
        except FileNotFoundError:
            pass
        except OSError as exc:
            message = f"Unable to clean up listening Unix socket {self._path!r}: {exc}"
            raise OSError(exc.errno, message) from exc


def bind_unix_socket(sock: _socket.socket, address: UnixSocketAddress, mode: int | None = None) -> SocketFile | None:
    """Binds ``sock`` to ``address``; the unnamed address lets the system choose an abstract name.

    A socket file whose owner is gone is replaced.

    Args:
        mode: permissions of the socket file, which never has wider ones; None leaves them to the
            umask.

    Returns:
        The file that was made, to be removed after the socket was closed; None if the address is no
        path.

    Raises:
        OSError: the address is in use, or not allowed.
        ValueError: ``mode`` is no permission, or this system has no abstract names.
    """
    _check(address, mode)
    path = address.as_raw()
    if not isinstance(path, str) or not path:
        _bind(sock, address)
        return None
    try:
        return _bind_file(sock, address, mode)
    except OSError as exc:
        if exc.errno != errno.EADDRINUSE or not _remove_if_dead(path, sock.type):
            raise
    return _bind_file(sock, address, mode)


def _check(address: UnixSocketAddress, mode: int | None) -> None:
    if mode is not None and not 0 <= mode <= 0o777:
        raise ValueError(f"mode: expected permissions (0o000 to 0o777), got {mode:#o}")
    if not _LINUX and address.as_pathname() is None:
        raise ValueError("abstract names of Unix sockets, and binding to an empty path, exist on Linux only")


def _bind(sock: _socket.socket, address: UnixSocketAddress) -> None:
    try:
        sock.bind(address.as_raw())
    except OSError as exc:  # one that is too long has neither number nor text
        raise OSError(exc.errno or errno.ENAMETOOLONG, f"cannot bind to '{address}': {exc.strerror or exc}") from None


def _bind_file(sock: _socket.socket, address: UnixSocketAddress, mode: int | None) -> SocketFile:
    if mode is None:
        _bind(sock, address)
        return SocketFile(str(address))
    if _LINUX:
        # bind() makes the file with the permissions of the socket (unix_bind_bsd() in
        # net/unix/af_unix.c), less the umask, which cannot be changed for one thread alone. What it
        # took is added afterwards.
        os.fchmod(sock.fileno(), mode)
        _bind(sock, address)
    else:
        with _nobody_allowed():
            _bind(sock, address)
    file = SocketFile(str(address))
    try:
        os.chmod(file.path, mode)
    except BaseException:
        file.remove()
        raise
    return file


_umask_lock: Final = threading.Lock()


@contextlib.contextmanager
def _nobody_allowed() -> Generator[None, None, None]:
    """Files are made without permissions meanwhile, by all threads: the price of never showing too
    wide ones.
    """
    with _umask_lock:
        umask = os.umask(0o777)
        try:
            yield
        finally:
            os.umask(umask)


def _remove_if_dead(path: str, kind: int) -> bool:
    """Removes a socket file that nobody is bound to any more; tells whether it did."""
    try:
        found = os.lstat(path)
        if not stat.S_ISSOCK(found.st_mode) or not _refuses_connections(path, kind):
            return False
        now = os.lstat(path)
        if (now.st_ctime_ns, *_identity(now)) != (found.st_ctime_ns, *_identity(found)):
            return False  # somebody else was faster (and may have been given the same inode)
        os.unlink(path)
    except FileNotFoundError:  # whose owner went meanwhile
        return True
    except OSError:
        return False
    return True


def _refuses_connections(path: str, kind: int) -> bool:
    """Only this tells a dead socket; any other answer comes from a living one, or from
    permissions.
    """
    with _socket.socket(_socket.AF_UNIX, kind) as probe:
        probe.setblocking(False)
        return probe.connect_ex(path) == errno.ECONNREFUSED


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
