# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from easynetwork.lowlevel import unix_files
from easynetwork.lowlevel.socket import UnixSocketAddress
from easynetwork.lowlevel.unix_files import SocketFile, bind_unix_socket, unix_address

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="abstract names exist on Linux only")

STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: an address has room for 108 bytes."""
    path = tempfile.mkdtemp()
    yield Path(path)
    shutil.rmtree(path)


@pytest.fixture
def open_socket() -> Iterator[Callable[[int], socket.socket]]:
    sockets: list[socket.socket] = []

    def new(kind: int = STREAM) -> socket.socket:
        sockets.append(socket.socket(socket.AF_UNIX, kind))
        return sockets[-1]

    yield new
    for sock in sockets:
        sock.close()


OpenSocket = Callable[..., socket.socket]


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("kind", [STREAM, DATAGRAM])
def test_a_bound_socket_has_a_file_until_it_is_removed(folder: Path, open_socket: OpenSocket, kind: int) -> None:
    path = folder / "sock"
    file = bind_unix_socket(open_socket(kind), unix_address(path))
    assert file is not None
    assert file.path == str(path)
    assert path.is_socket()

    file.remove()
    assert not path.exists()
    file.remove()


@pytest.mark.usefixtures("umask")
def test_without_a_mode_the_umask_decides(folder: Path, open_socket: OpenSocket) -> None:
    bind_unix_socket(open_socket(), unix_address(folder / "sock"))

    assert permissions(folder / "sock") == 0o750


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("mode", [0o000, 0o600, 0o660, 0o777])
@pytest.mark.parametrize("system", ["this one", "another"])
def test_the_mode_is_that_of_the_file_and_never_wider(
    folder: Path, open_socket: OpenSocket, mode: int, system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if system == "another":
        monkeypatch.setattr(unix_files, "_LINUX", False)
    path = folder / "sock"
    seen: list[int] = []

    class Watched(socket.socket):
        def bind(self, address: str) -> None:  # type: ignore[override]  # only paths here
            super().bind(address)
            seen.append(permissions(path))

    with Watched(socket.AF_UNIX) as sock:
        bind_unix_socket(sock, unix_address(path), mode)

    assert permissions(path) == mode
    assert seen[0] & ~mode == 0
    assert os.umask(0o027) == 0o027


@pytest.mark.parametrize("mode", [-1, 0o1000, 0o100644])
def test_a_mode_that_is_no_permission_is_refused(folder: Path, open_socket: OpenSocket, mode: int) -> None:
    with pytest.raises(ValueError, match="mode"):
        bind_unix_socket(open_socket(), unix_address(folder / "sock"), mode)
    assert not (folder / "sock").exists()


@pytest.mark.parametrize("system", ["this one", "another"])
def test_no_file_stays_behind_when_its_mode_cannot_be_set(
    folder: Path, open_socket: OpenSocket, system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if system == "another":
        monkeypatch.setattr(unix_files, "_LINUX", False)

    def refuse(path: str, mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", path)

    monkeypatch.setattr(os, "chmod", refuse)  # only file systems of a kind refuse it to the owner
    with pytest.raises(PermissionError, match="not permitted"):
        bind_unix_socket(open_socket(), unix_address(folder / "sock"), 0o600)

    assert not (folder / "sock").exists()


@on_linux
def test_abstract_names_and_chosen_ones_have_no_file(open_socket: OpenSocket) -> None:
    chosen = open_socket()
    assert bind_unix_socket(chosen, UnixSocketAddress()) is None

    name = UnixSocketAddress.from_raw(chosen.getsockname())
    assert name.as_abstract_name()
    with pytest.raises(OSError, match=f"cannot bind to '{name}'") as caught:
        bind_unix_socket(open_socket(), name)
    assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("address", [UnixSocketAddress(), UnixSocketAddress.from_raw(b"\0name")])
@on_linux  # where such an address can be made
def test_only_linux_has_abstract_names(
    open_socket: OpenSocket, address: UnixSocketAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unix_files, "_LINUX", False)

    with pytest.raises(ValueError, match="Linux only"):
        bind_unix_socket(open_socket(), address)


@pytest.mark.parametrize("kind", [STREAM, DATAGRAM])
def test_the_file_of_a_dead_server_is_replaced(folder: Path, open_socket: OpenSocket, kind: int) -> None:
    path = folder / "sock"
    dead = open_socket(kind)
    dead.bind(str(path))
    dead.close()

    file = bind_unix_socket(open_socket(kind), unix_address(path), 0o600)
    assert file is not None
    assert permissions(path) == 0o600


@pytest.mark.parametrize("kind", [STREAM, DATAGRAM])
@pytest.mark.parametrize("living_kind", [STREAM, DATAGRAM])
def test_the_path_of_a_living_server_is_left_alone(
    folder: Path, open_socket: OpenSocket, kind: int, living_kind: int
) -> None:
    path = folder / "sock"
    living = open_socket(living_kind)
    living.bind(str(path))
    if living_kind == STREAM:
        living.listen(0)
    before = path.lstat()

    with pytest.raises(OSError, match=f"cannot bind to '{path}'") as caught:
        bind_unix_socket(open_socket(kind), unix_address(path))
    assert caught.value.errno == errno.EADDRINUSE
    assert path.lstat().st_ino == before.st_ino


def test_a_server_whose_queue_is_full_is_living(folder: Path, open_socket: OpenSocket) -> None:
    path = folder / "sock"
    living = open_socket()
    living.bind(str(path))
    living.listen(0)
    for _ in range(2):
        waiting = open_socket()
        waiting.setblocking(False)
        waiting.connect_ex(str(path))

    with pytest.raises(OSError, match="cannot bind") as caught:
        bind_unix_socket(open_socket(), unix_address(path))
    assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_any_other_file_is_left_alone(folder: Path, open_socket: OpenSocket, kind: str) -> None:
    path = folder / "sock"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(folder / "nowhere")

    with pytest.raises(OSError, match=f"cannot bind to '{path}'") as caught:
        bind_unix_socket(open_socket(), unix_address(path))
    assert caught.value.errno == errno.EADDRINUSE
    assert os.path.lexists(path)


def test_a_path_that_is_too_long_is_named(open_socket: OpenSocket) -> None:
    with pytest.raises(OSError, match="cannot bind to '/tmp/xxx") as caught:
        bind_unix_socket(open_socket(), unix_address("/tmp/" + "x" * 200))
    assert caught.value.errno == errno.ENAMETOOLONG


def test_a_file_that_took_our_place_is_not_removed(folder: Path, open_socket: OpenSocket) -> None:
    path = folder / "sock"
    file = bind_unix_socket(open_socket(), unix_address(path))
    assert file is not None
    path.rename(folder / "moved")  # keeps its inode, so that the new one gets another
    path.write_text("precious")

    file.remove()
    assert path.read_text() == "precious"


def test_a_relative_path_is_removed_from_where_it_was(
    folder: Path, open_socket: OpenSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    file = bind_unix_socket(open_socket(), unix_address("sock"))
    assert file is not None
    monkeypatch.chdir("/")

    file.remove()
    assert not (folder / "sock").exists()


def test_a_file_that_cannot_be_removed_is_an_error(
    folder: Path, open_socket: OpenSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "sock"
    open_socket().bind(str(path))
    file = SocketFile(str(path))

    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "unlink", refuse)  # the superuser's permissions cannot be taken away
    with pytest.raises(PermissionError, match=f"Unable to clean up listening Unix socket '{path}': .*denied"):
        file.remove()


def test_addresses_are_paths_or_themselves(folder: Path) -> None:
    address = UnixSocketAddress.from_pathname(folder)

    assert unix_address(address) is address
    assert unix_address(str(folder)) == unix_address(os.fsencode(folder)) == unix_address(folder) == address
