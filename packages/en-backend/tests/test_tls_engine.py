# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ssl

import pytest

from easynetwork.lowlevel.tls import TLSEngine


def connected_engines(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[TLSEngine, TLSEngine]:
    ours = TLSEngine(client, server_side=False, server_hostname="localhost", standard_compatible=True)
    theirs = TLSEngine(server, server_side=True, server_hostname=None, standard_compatible=True)
    done: set[TLSEngine] = set()
    while len(done) < 2:
        for engine, other in ((ours, theirs), (theirs, ours)):
            if engine.handshake():
                done.add(engine)
            if engine.has_output:
                other.feed(engine.output())
    return ours, theirs


def test_an_idle_engine_wants_input_and_has_no_output(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    client, server = connected_engines(client_context, server_context)
    assert client.read(100) is None, "the session tickets that came with the handshake are no data"

    for engine in (client, server):
        assert engine.wants_input
        assert not engine.has_output
        assert engine.read(100) is None


def test_one_record_can_be_read_in_parts(client_context: ssl.SSLContext, server_context: ssl.SSLContext) -> None:
    client, server = connected_engines(client_context, server_context)
    server.write(memoryview(b"abcdef"))
    client.feed(server.output())

    assert client.read(2) == b"ab"
    assert not client.wants_input
    assert client.read(100) == b"cdef"
    assert client.wants_input


@pytest.mark.parametrize("size", [1, 7])
def test_the_bytes_of_the_peer_may_come_in_any_pieces(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, size: int
) -> None:
    client, server = connected_engines(client_context, server_context)
    client.read(100)
    server.write(memoryview(b"abcdef"))
    records = server.output()
    read = [client.read(100)]
    for start in range(0, len(records), size):
        client.feed(records[start : start + size])
        read.append(client.read(100))

    assert [data for data in read if data is not None] == [b"abcdef"]


def test_close_notify_is_answered(client_context: ssl.SSLContext, server_context: ssl.SSLContext) -> None:
    client, server = connected_engines(client_context, server_context)
    assert server.close() is None
    client.feed(server.output())
    assert client.read(100) == b""
    assert not client.wants_input
    assert client.close()
    server.feed(client.output())

    assert server.close()
    with pytest.raises(ConnectionAbortedError):
        server.write(memoryview(b"x"))
