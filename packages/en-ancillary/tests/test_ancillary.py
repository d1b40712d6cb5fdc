# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
import struct
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easynetwork.ancillary import (
    RawControlMessage,
    SCMCredentials,
    SCMRights,
    SocketAncillary,
    SocketCredential,
    raw_control_messages,
)

SocketPair: TypeAlias = tuple[socket.socket, socket.socket]

RIGHTS = (socket.SOL_SOCKET, socket.SCM_RIGHTS)
CREDENTIALS = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)
THIS_PROCESS = SocketCredential(os.getpid(), os.getuid(), os.getgid())

descriptors = st.lists(st.integers(0, 2**31 - 1), max_size=253)
ids = st.integers(0, 2**32 - 1)
credentials = st.lists(st.builds(SocketCredential, st.integers(1, 2**31 - 1), ids, ids))
messages = st.lists(
    st.tuples(
        st.sampled_from([socket.SOL_SOCKET, 0]) | st.integers(),
        st.sampled_from([socket.SCM_RIGHTS, socket.SCM_CREDENTIALS]) | st.integers(),
        st.binary(),
    )
)


def parsed(*messages: RawControlMessage) -> list[SCMRights | SCMCredentials]:
    ancillary = SocketAncillary()
    ancillary.update_from_raw(messages)
    return list(ancillary.messages())


@given(descriptors, credentials)
def test_what_is_packed_is_unpacked_the_same(fds: list[int], creds: list[SocketCredential]) -> None:
    ancillary = SocketAncillary()
    ancillary.add_fds(fds)
    ancillary.add_creds(creds)

    assert parsed(*ancillary.as_raw()) == list(ancillary.messages())


@given(messages)
def test_no_bytes_make_the_parser_raise(messages: list[RawControlMessage]) -> None:
    for record in parsed(*messages):
        assert isinstance(record, SCMRights | SCMCredentials)


@pytest.mark.parametrize(("kind", "item"), [(RIGHTS, 4), (CREDENTIALS, 12)])
def test_items_that_were_cut_off_are_left_out(kind: tuple[int, int], item: int) -> None:
    whole = parsed((*kind, bytes(2 * item)))

    for missing in range(1, item):
        assert parsed((*kind, bytes(3 * item - missing))) == whole
        assert parsed((*kind, bytes(item - missing))) == []


def test_unknown_messages_are_ignored() -> None:
    assert parsed((socket.SOL_SOCKET, 99, bytes(12)), (socket.IPPROTO_IP, socket.SCM_RIGHTS, bytes(12))) == []


def test_messages_have_the_sizes_of_the_system() -> None:
    ancillary = SocketAncillary()
    ancillary.add_fds([0, 1, 2])
    ancillary.add_creds([SocketCredential()] * 2)

    assert [(level, kind, len(data)) for level, kind, data in ancillary.as_raw()] == [
        (*RIGHTS, 3 * struct.calcsize("i")),
        (*CREDENTIALS, struct.calcsize("iII")),  # Linux refuses two in one message
        (*CREDENTIALS, struct.calcsize("iII")),
    ]


def test_records_are_values_that_match_by_position() -> None:
    ancillary = SocketAncillary()
    ancillary.add_fds(iter([3]))
    ancillary.add_fds([4])
    ancillary.add_creds([SocketCredential(1, 2, 3)])

    match list(ancillary.messages()):
        case [SCMRights(fds), SCMCredentials(creds)]:
            assert fds == (3, 4)
            assert creds == (SocketCredential(1, 2, 3),)
        case other:
            pytest.fail(str(other))
    assert SCMRights([1, 2]) == SCMRights((1, 2)) != SCMRights([2, 1])
    assert len({SCMRights([1]), SCMRights([1]), SCMCredentials([]), SCMCredentials([])}) == 2


def test_clearing_forgets_and_closes_nothing(fd: int) -> None:
    ancillary = SocketAncillary()
    ancillary.update_from_raw([(*RIGHTS, struct.pack("i", fd))])
    assert list(ancillary.iter_fds()) == [fd]
    ancillary.clear()

    assert not list(ancillary.messages())
    assert not ancillary.as_raw()
    os.fstat(fd)


@pytest.mark.parametrize(
    ("credential", "sent"),
    [
        (SocketCredential(), THIS_PROCESS),
        (SocketCredential(0, 5, 6), SocketCredential(os.getpid(), 5, 6)),
        (SocketCredential(4, 0, 0), SocketCredential(4, 0, 0)),
    ],
)
def test_zeros_mean_this_process(credential: SocketCredential, sent: SocketCredential) -> None:
    ancillary = SocketAncillary()
    ancillary.add_creds([credential])

    assert ancillary.as_raw() == [(*CREDENTIALS, struct.pack("iII", *sent))]


@pytest.mark.parametrize("value", [True, "1", 1.0, None, os])
def test_what_is_no_descriptor_is_a_type_error(value: Any) -> None:
    ancillary = SocketAncillary()

    with pytest.raises(TypeError, match="fds"):
        ancillary.add_fds([1, value])
    assert ancillary.as_raw() == []


@pytest.mark.parametrize("values", [[-1], [2**31], [0] * 254])
def test_impossible_descriptors_are_value_errors(values: list[int]) -> None:
    with pytest.raises(ValueError, match="fds"):
        SocketAncillary().add_fds(values)


@pytest.mark.parametrize(
    "value",
    [
        (1, 2, 3),
        None,
        SocketCredential(True),
        SocketCredential(gid="1"),  # type: ignore[arg-type]  # the error to be found
    ],
)
def test_what_is_no_credential_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match="credentials"):
        SocketAncillary().add_creds([value])


@pytest.mark.parametrize("bad", [{"pid": -1}, {"pid": 2**31}, {"uid": -1}, {"uid": 2**32}, {"gid": 2**32}])
def test_ids_out_of_range_are_value_errors(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="credentials"):
        SocketAncillary().add_creds([SocketCredential(**bad)])


def test_arguments_that_are_no_iterables_are_named() -> None:
    nothing: Any = 3

    with pytest.raises(TypeError, match="fds"):
        SocketAncillary().add_fds(nothing)
    with pytest.raises(TypeError, match="credentials"):
        SocketAncillary().add_creds(nothing)
    with pytest.raises(TypeError, match="ancillary_data"):
        raw_control_messages(nothing)


def test_both_kinds_of_ancillary_data_become_raw_messages() -> None:
    ancillary = SocketAncillary()
    ancillary.add_fds([0])

    assert raw_control_messages(ancillary) == ancillary.as_raw()
    data: Any
    for data in b"x", bytearray(b"x"), memoryview(b"x"):
        assert raw_control_messages(iter([(1, 2, data)])) == [(1, 2, b"x")]
    for bad in [(1, 2)], [(1, 2, "x")], ["abc"], [None]:
        with pytest.raises(TypeError, match="ancillary_data"):
            raw_control_messages(bad)  # type: ignore[arg-type]  # the error to be found


def test_the_kernel_passes_descriptors(no_leak: None, pair: SocketPair, fd: int) -> None:
    ours, theirs = pair
    ancillary = SocketAncillary()
    ancillary.add_fds([fd, fd])
    ours.sendmsg([b"x"], ancillary.as_raw())
    _, raw, _, _ = theirs.recvmsg(1, socket.CMSG_SPACE(2 * 4), socket.MSG_CMSG_CLOEXEC)
    received = SocketAncillary()
    received.update_from_raw(raw)

    fds = list(received.iter_fds())
    assert len({fd, *fds}) == 3
    for each in fds:
        assert os.path.samestat(os.fstat(each), os.fstat(fd))
        assert not os.get_inheritable(each)
        os.close(each)


def test_the_kernel_takes_as_many_descriptors_as_are_allowed(pair: SocketPair, fd: int) -> None:
    ancillary = SocketAncillary()
    ancillary.add_fds([fd] * 253)

    pair[0].sendmsg([b"x"], ancillary.as_raw())
    with pytest.raises(OSError, match="Invalid argument"):
        pair[0].sendmsg([b"x"], [*ancillary.as_raw(), (*RIGHTS, struct.pack("i", fd))])


def test_the_kernel_passes_credentials(pair: SocketPair) -> None:
    ours, theirs = pair
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    ancillary = SocketAncillary()
    ancillary.add_creds([SocketCredential(), SocketCredential(uid=os.getuid(), gid=os.getgid())])
    ours.sendmsg([b"x"], ancillary.as_raw())
    _, raw, _, _ = theirs.recvmsg(1, socket.CMSG_SPACE(12))

    assert parsed(*raw) == [SCMCredentials([THIS_PROCESS])]
