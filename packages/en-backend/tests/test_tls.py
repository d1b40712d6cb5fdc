# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest
import trustme

from easynetwork.exceptions import BusyResourceError, TruncatedStreamError, UnsupportedOperation
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.socket import INETSocketAttribute, TLSAttribute
from easynetwork.lowlevel.streams import ByteStream
from easynetwork.lowlevel.testing import MemoryStream, check_byte_stream, memory_stream_pair
from easynetwork.lowlevel.tls import TLSOptions, TLSStream

in_an_event_loop = pytest.mark.anyio

A_LARGE_PACKET = bytes(range(256)) * 4096  # 1 MiB: 64 records


async def secure(stream: ByteStream, options: TLSOptions, name: str | None = "localhost") -> TLSStream:
    return await TLSStream.handshake(stream, options, server_side=False, server_hostname=name)


async def shake_hands(
    backend: AsyncBackend,
    pair: tuple[ByteStream, ByteStream],
    client_options: TLSOptions,
    server_options: TLSOptions,
) -> tuple[TLSStream, TLSStream]:
    async with backend.create_task_group() as tasks:
        client = await tasks.start(secure, pair[0], client_options)
        server = await TLSStream.handshake(pair[1], server_options, server_side=True)
    return await client.join(), server


@in_an_event_loop
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_over_memory_passes_the_examination(
    backend: AsyncBackend, client_context: ssl.SSLContext, server_context: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    client_context.maximum_version = version

    async def make_pair() -> tuple[ByteStream, ByteStream]:
        options = TLSOptions(context=client_context), TLSOptions(context=server_context)
        return await shake_hands(backend, memory_stream_pair(backend), *options)

    await check_byte_stream(backend, make_pair)


@in_an_event_loop
async def test_tls_tells_what_was_agreed(
    backend: AsyncBackend, client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    pair = memory_stream_pair(backend)
    client, server = await shake_hands(
        backend, pair, TLSOptions(context=client_context), TLSOptions(context=server_context)
    )

    assert client.extra(TLSAttribute.tls_version) == server.extra(TLSAttribute.tls_version) == "TLSv1.3"
    assert client.extra(TLSAttribute.cipher) == server.extra(TLSAttribute.cipher)
    assert server.extra(TLSAttribute.sslcontext) is server_context
    assert server.extra(TLSAttribute.standard_compatible) is True
    assert server.extra(TLSAttribute.compression) is None
    assert client.extra(TLSAttribute.peercert)
    assert server.extra(TLSAttribute.peercert) is None
    assert client.extra(INETSocketAttribute.sockname) == pair[0].extra(INETSocketAttribute.sockname)


@in_an_event_loop
async def test_a_large_packet_arrives_through_a_narrow_stream(
    backend: AsyncBackend, client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    pair = memory_stream_pair(backend, capacity=1000)  # no record fits
    client, server = await shake_hands(
        backend, pair, TLSOptions(context=client_context), TLSOptions(context=server_context)
    )
    received = bytearray()

    async with backend.create_task_group() as tasks:
        tasks.start_soon(client.send, A_LARGE_PACKET)
        while len(received) < len(A_LARGE_PACKET):
            received += await server.receive(len(A_LARGE_PACKET))

    assert received == A_LARGE_PACKET


class OpenSSLServer:
    """A peer that is not ours, for what our own side never begins."""

    def __init__(self, stream: ByteStream, context: ssl.SSLContext) -> None:
        self._stream = stream
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def run(self, operation: Callable[[], Any]) -> Any:
        while True:
            try:
                return operation()
            except ssl.SSLWantReadError:
                await self.flush()
                self._incoming.write(await self._stream.receive(65536))
            finally:
                await self.flush()

    async def flush(self) -> None:
        await self._stream.send(self._outgoing.read())


@in_an_event_loop
async def test_a_question_of_the_protocol_is_answered_by_who_receives(
    backend: AsyncBackend, authority: trustme.CA, client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    """A certificate asked for after the handshake (RFC 8446 section 4.6.2) is answered like a key
    update, which Python cannot start.
    """
    authority.issue_cert("client@example.org").configure_cert(client_context)
    authority.configure_trust(server_context)
    server_context.verify_mode = ssl.CERT_REQUIRED
    client_context.post_handshake_auth = server_context.post_handshake_auth = True
    ours, theirs = memory_stream_pair(backend)
    server = OpenSSLServer(theirs, server_context)

    async with backend.create_task_group() as tasks:
        handshake = await tasks.start(secure, ours, TLSOptions(context=client_context))
        await server.run(server.tls.do_handshake)
        client = await handshake.join()
        assert not server.tls.getpeercert()
        server.tls.verify_client_post_handshake()
        server.tls.write(b"and a packet")
        await server.flush()
        receiving = await tasks.start(client.receive, 100)
        assert await receiving.join() == b"and a packet"
        await client.send(b"x")
        assert await server.run(lambda: server.tls.read(100)) == b"x"

    assert server.tls.getpeercert()


async def let_others_run(backend: AsyncBackend) -> None:
    """Until they wait for something that this task has to do."""
    for _ in range(10):
        await backend.coro_yield()


@in_an_event_loop
async def test_a_send_that_is_cancelled_behind_another_record_has_sent_nothing(
    backend: AsyncBackend, authority: trustme.CA, client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    """It is not encrypted before there is room, so the stream can be used as before, and no packet
    is seen that was given up.
    """
    authority.issue_cert("client@example.org").configure_cert(client_context)
    authority.configure_trust(server_context)
    server_context.verify_mode = ssl.CERT_REQUIRED
    client_context.post_handshake_auth = server_context.post_handshake_auth = True
    ours, theirs = memory_stream_pair(backend)
    server = OpenSSLServer(theirs, server_context)

    async with backend.create_task_group() as tasks:
        handshake = await tasks.start(secure, ours, TLSOptions(context=client_context))
        await server.run(server.tls.do_handshake)
        client = await handshake.join()
        filling = ours.send_nowait(bytes(1 << 20))  # the way to the peer is full from now on
        server.tls.verify_client_post_handshake()
        server.tls.write(b"x")
        await server.flush()
        answering = await tasks.start(client.receive, 100)
        await let_others_run(backend)
        sending = await tasks.start(client.send, b"a packet")
        await let_others_run(backend)
        assert not client.is_closing()

        sending.cancel()
        await sending.wait()
        assert not client.is_closing()
        assert await theirs.receive(filling) == bytes(filling)
        await client.send(b"another")
        assert await server.run(lambda: server.tls.read(100)) == b"another"
        assert server.tls.getpeercert(), "the answer that had no room has left too"
        answering.cancel()


@in_an_event_loop
async def test_one_side_cannot_end_alone(
    backend: AsyncBackend, client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    client, _ = await shake_hands(
        backend, memory_stream_pair(backend), TLSOptions(context=client_context), TLSOptions(context=server_context)
    )

    with pytest.raises(UnsupportedOperation):
        await client.send_eof()


async def fail_to_shake_hands(
    backend: AsyncBackend,
    client: Callable[[ByteStream], Any],
    options: TLSOptions,
) -> tuple[BaseException | None, BaseException, MemoryStream]:
    """What the client got, what the server got, and the server's stream."""
    theirs, ours = memory_stream_pair(backend)
    errors: list[BaseException] = []

    async def run_client() -> None:
        try:
            await client(theirs)
        except (OSError, EOFError) as exc:
            errors.append(exc)

    async with backend.create_task_group() as tasks:
        tasks.start_soon(run_client)
        with pytest.raises(OSError) as caught:  # noqa: PT011  # the caller looks at it
            await TLSStream.handshake(ours, options, server_side=True)
    return errors[0] if errors else None, caught.value, ours


@in_an_event_loop
async def test_a_certificate_of_a_stranger_is_refused(backend: AsyncBackend, client_context: ssl.SSLContext) -> None:
    stranger = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(stranger)
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2  # where the server waits for the client's opinion

    refusal, _, stream = await fail_to_shake_hands(
        backend, lambda raw: secure(raw, TLSOptions(context=client_context)), TLSOptions(context=stranger)
    )

    assert isinstance(refusal, ssl.SSLCertVerificationError)
    assert stream.is_closing()


@in_an_event_loop
async def test_a_certificate_for_another_name_is_refused(
    backend: AsyncBackend, client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2

    refusal, _, _ = await fail_to_shake_hands(
        backend,
        lambda raw: secure(raw, TLSOptions(context=client_context), "example.org"),
        TLSOptions(context=server_context),
    )

    assert isinstance(refusal, ssl.SSLCertVerificationError)
    assert "example.org" in str(refusal)


@in_an_event_loop
async def test_plain_text_is_a_tls_error(backend: AsyncBackend, server_context: ssl.SSLContext) -> None:
    _, error, stream = await fail_to_shake_hands(
        backend, lambda raw: raw.send(b"GET / HTTP/1.1\r\n\r\n"), TLSOptions(context=server_context)
    )

    assert isinstance(error, ssl.SSLError)
    assert stream.is_closing()


@in_an_event_loop
@pytest.mark.parametrize("goes", ["aclose", "send_eof"])
async def test_a_peer_that_goes_during_the_handshake_is_a_lost_connection(
    backend: AsyncBackend, server_context: ssl.SSLContext, goes: str
) -> None:
    _, error, stream = await fail_to_shake_hands(
        backend, lambda raw: getattr(raw, goes)(), TLSOptions(context=server_context)
    )

    assert isinstance(error, ConnectionError)
    assert stream.is_closing()


@in_an_event_loop
async def test_a_handshake_that_stalls_is_cut_at_its_limit(
    backend: AsyncBackend, server_context: ssl.SSLContext
) -> None:
    _, ours = memory_stream_pair(backend)
    start = backend.current_time()

    with pytest.raises(TimeoutError):
        await TLSStream.handshake(ours, TLSOptions(context=server_context, handshake_timeout=0.05), server_side=True)

    assert 0.045 <= backend.current_time() - start < 0.5
    assert ours.is_closing()


@in_an_event_loop
async def test_a_cancelled_handshake_aborts_the_stream(backend: AsyncBackend, server_context: ssl.SSLContext) -> None:
    _, ours = memory_stream_pair(backend)

    with backend.move_on_after(0):
        await TLSStream.handshake(ours, TLSOptions(context=server_context), server_side=True)

    assert ours.is_closing()


@in_an_event_loop
@pytest.mark.parametrize("insist", [True, False])
async def test_a_truncation_is_told_from_an_end_where_the_standard_is_insisted_on(
    backend: AsyncBackend,
    client_context: ssl.SSLContext,
    server_context: ssl.SSLContext,
    insist: bool,
) -> None:
    raw_client, raw_server = memory_stream_pair(backend)
    client, server = await shake_hands(
        backend,
        (raw_client, raw_server),
        TLSOptions(context=client_context, standard_compatible=insist),
        TLSOptions(context=server_context),
    )
    await server.send(b"half of the tru")
    await raw_server.send_eof()  # an end that TLS knows nothing of

    assert await client.receive(100) == b"half of the tru"
    if insist:
        with pytest.raises(TruncatedStreamError):
            await client.receive(100)
    assert await client.receive(100) == b""


@in_an_event_loop
async def test_a_forged_record_is_a_lost_connection(
    backend: AsyncBackend, client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    raw_client, raw_server = memory_stream_pair(backend)
    client, _ = await shake_hands(
        backend, (raw_client, raw_server), TLSOptions(context=client_context), TLSOptions(context=server_context)
    )
    await raw_server.send(b"\x17\x03\x03\x00\x20" + bytes(32))

    with pytest.raises(ConnectionAbortedError, match="TLS"):
        await client.receive(100)


@in_an_event_loop
async def test_an_unanswered_close_notify_is_cut_at_its_limit(
    backend: AsyncBackend, client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    pair = memory_stream_pair(backend)
    _, server = await shake_hands(
        backend,
        pair,
        TLSOptions(context=client_context),
        TLSOptions(context=server_context, shutdown_timeout=0.05),
    )
    start = backend.current_time()
    await server.aclose()

    assert 0.045 <= backend.current_time() - start < 0.5
    assert pair[1].is_closing()


@in_an_event_loop
async def test_without_the_standard_nobody_waits_for_an_answer(
    backend: AsyncBackend, client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    _, server = await shake_hands(
        backend,
        memory_stream_pair(backend),
        TLSOptions(context=client_context),
        TLSOptions(context=server_context, standard_compatible=False),
    )
    await server.aclose()

    assert server.is_closing()


@in_an_event_loop
async def test_a_cancelled_close_closes_all_the_same(
    backend: AsyncBackend, client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    pair = memory_stream_pair(backend)
    _, server = await shake_hands(backend, pair, TLSOptions(context=client_context), TLSOptions(context=server_context))

    with backend.move_on_after(0) as scope:
        await server.aclose()

    assert scope.cancelled_caught()
    assert pair[1].is_closing()


@in_an_event_loop
async def test_two_tasks_that_do_the_same_are_one_too_many(
    backend: AsyncBackend, client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    client, _ = await shake_hands(
        backend, memory_stream_pair(backend), TLSOptions(context=client_context), TLSOptions(context=server_context)
    )
    async with backend.create_task_group() as tasks:
        task = await tasks.start(client.receive, 100)
        await backend.coro_yield()
        with pytest.raises(BusyResourceError):
            await client.receive(100)
        task.cancel()
