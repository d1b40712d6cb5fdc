# SPDX-License-Identifier: Apache-2.0
"""What "TLS" prints does what the page says."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
from anyio.to_thread import run_sync
from page_sessions import replayed, run_command, write_programs
from pages import Page
from running_server import running
from tcp_peers import connected, line_protocol, line_server

from easynetwork.clients import TCPNetworkClient
from easynetwork.exceptions import TruncatedStreamError, UnsupportedOperation
from easynetwork.lowlevel.socket import TLSAttribute
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler

PAGE = Page("howto/tls.md")
CODE = PAGE.run()

in_event_loop = pytest.mark.anyio

PATIENCE = 10.0
"""Seconds after which an answer counts as lost."""


class Kitchen(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        dish = yield
        await client.send_packet(f"{dish} is on its way")


def issue(folder: Path, authority: trustme.CA, *names: str, **options: Any) -> Path:
    """Writes a server's certificate and key, as the page names them, and the certificate of the
    authority, which is returned.
    """
    certificate = authority.issue_cert(*names, **options)
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    (folder / "server.pem").write_bytes(chain)
    (folder / "server.key").write_bytes(certificate.private_key_pem.bytes())
    authority.cert_pem.write_to_path(folder / "client.pem")
    return folder / "client.pem"


def telling(logged: anyio.Event) -> logging.Logger:
    """A logger that tells when it has been warned."""
    logger = logging.Logger("easynetwork.howto")
    logger.parent = logging.getLogger()

    def tell(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            logged.set()
        return True

    logger.addFilter(tell)
    return logger


def asking(make_client: Callable[..., TCPNetworkClient[str, str]], server: Any, *arguments: Any) -> Callable[[], str]:
    """What a blocking client does with a server."""
    port = server.get_addresses()[0].port

    def ask() -> str:
        with make_client(port, *arguments) as client:
            client.send_packet("soup", timeout=PATIENCE)
            return client.recv_packet(timeout=PATIENCE)

    return ask


# The program


def test_the_program_prints_what_the_page_shows(tmp_path: Path) -> None:
    (command,) = PAGE.shell()
    run_command(command, tmp_path)
    write_programs(PAGE, tmp_path)

    ((shown, printed),) = replayed(PAGE, tmp_path)

    assert printed == shown


# The server and the client


@in_event_loop
async def test_a_guest_is_served_over_the_newest_tls(tmp_path: Path, authority: trustme.CA) -> None:
    trusted = issue(tmp_path, authority, "localhost")
    context = CODE["server_identity"](tmp_path)

    async with running(server := line_server(Kitchen(), ssl=context)):
        assert await run_sync(asking(CODE["guest"], server, trusted)) == "soup is on its way"

    assert context.minimum_version is ssl.TLSVersion.TLSv1_3


@in_event_loop
async def test_a_renewed_certificate_needs_no_restart(tmp_path: Path, authority: trustme.CA) -> None:
    trusted = issue(tmp_path, authority, "localhost")
    context = CODE["server_identity"](tmp_path)
    (renewed := tmp_path / "renewed").mkdir()

    async with running(server := line_server(Kitchen(), ssl=context)):
        await run_sync(asking(CODE["guest"], server, trusted))
        newly_trusted = issue(renewed, trustme.CA(), "localhost")
        context.load_cert_chain(renewed / "server.pem", renewed / "server.key")

        assert await run_sync(asking(CODE["guest"], server, newly_trusted)) == "soup is on its way"
        with pytest.raises(ssl.SSLCertVerificationError):
            await run_sync(asking(CODE["guest"], server, trusted))


@in_event_loop
async def test_server_hostname_is_the_name_in_the_certificate(tmp_path: Path, authority: trustme.CA) -> None:
    trusted = issue(tmp_path, authority, "localhost")

    def nameless(port: int) -> TCPNetworkClient[str, str]:
        context = ssl.create_default_context(cafile=trusted)
        return TCPNetworkClient(("127.0.0.1", port), line_protocol(), ssl=context)

    async with running(server := line_server(Kitchen(), ssl=CODE["server_identity"](tmp_path))):
        assert await run_sync(asking(CODE["guest_by_address"], server, trusted)) == "soup is on its way"
        with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for '127\.0\.0\.1'"):
            await run_sync(asking(nameless, server))


@in_event_loop
async def test_an_empty_server_hostname_accepts_every_name_of_a_trusted_authority(
    tmp_path: Path, authority: trustme.CA
) -> None:
    trusted = issue(tmp_path, authority, "example.org")

    def careless(port: int, checks_names: bool) -> TCPNetworkClient[str, str]:
        context = ssl.create_default_context(cafile=trusted)
        context.check_hostname = checks_names
        return TCPNetworkClient(("localhost", port), line_protocol(), ssl=context, server_hostname="")

    async with running(server := line_server(Kitchen(), ssl=CODE["server_identity"](tmp_path))):
        assert await run_sync(asking(careless, server, False)) == "soup is on its way"
        with pytest.raises(ValueError, match="check_hostname=False"):
            await run_sync(asking(careless, server, True))


@in_event_loop
async def test_a_stalled_handshake_delays_nobody(tmp_path: Path, authority: trustme.CA) -> None:
    trusted = issue(tmp_path, authority, "localhost")
    server = line_server(Kitchen(), ssl=CODE["server_identity"](tmp_path))

    async with running(server), connected(server):  # who says nothing
        assert await run_sync(asking(CODE["guest"], server, trusted)) == "soup is on its way"


# Certificates of clients


@pytest.fixture
def members() -> trustme.CA:
    return trustme.CA()


@in_event_loop
async def test_a_handler_knows_the_member_by_its_certificate(
    tmp_path: Path, authority: trustme.CA, members: trustme.CA
) -> None:
    trusted = issue(tmp_path, authority, "localhost")
    members.cert_pem.write_to_path(of_members := tmp_path / "members.pem")
    ada = members.issue_cert("ada@example.org", common_name="Ada").private_key_and_cert_chain_pem
    ada.write_to_path(tmp_path / "ada.pem")
    context = CODE["server_for_members"](tmp_path, of_members)

    async with running(server := line_server(CODE["MembersKitchen"](), ssl=context)):
        answer = await run_sync(asking(CODE["member"], server, trusted, tmp_path / "ada.pem"))

    assert answer == "soup for Ada"


@in_event_loop
async def test_who_has_no_certificate_connects_and_is_refused_then(
    tmp_path: Path, authority: trustme.CA, members: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    trusted = issue(tmp_path, authority, "localhost")
    members.cert_pem.write_to_path(of_members := tmp_path / "members.pem")
    context = CODE["server_for_members"](tmp_path, of_members)

    logged = anyio.Event()

    async with running(server := line_server(CODE["MembersKitchen"](), ssl=context, logger=telling(logged))):
        client = await run_sync(CODE["guest"], server.get_addresses()[0].port, trusted)
        with client, pytest.raises(ConnectionAbortedError, match="the connection is lost"):
            await run_sync(client.recv_packet)
        with anyio.fail_after(PATIENCE):
            await logged.wait()

    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in warning_of(caplog)


def warning_of(caplog: pytest.LogCaptureFixture) -> str:
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage().startswith("Error in client task (during TLS handshake): ")
    return record.getMessage()


# What a connection tells


class Telling(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        name = yield
        await client.send_packet(str(client.extra(getattr(TLSAttribute, name), "absent")))


@in_event_loop
async def test_a_handler_can_ask_about_the_encryption(
    server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    async with running(server := line_server(Telling(), ssl=server_context)), connected(server, client_context) as peer:
        assert await peer.ask("peercert") == "None"
        assert await peer.ask("tls_version") == "TLSv1.3"
        assert await peer.ask("compression") == "None"
        assert await peer.ask("standard_compatible") == "True"

    async with running(server := line_server(Telling())), connected(server) as peer:
        assert await peer.ask("tls_version") == "absent"


# How a connection ends


@contextlib.contextmanager
def abrupt_server(context: ssl.SSLContext) -> Generator[int]:
    """A server that answers one line, and ends the connection without ``close_notify``.

    Gives its port.
    """

    def serve() -> None:
        raw, _ = listener.accept()
        with context.wrap_socket(raw, server_side=True) as tls:
            tls.sendall(tls.recv(100))
            with socket.socket(fileno=tls.detach()) as bare:
                bare.shutdown(socket.SHUT_WR)
                bare.recv(100)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(PATIENCE)


@pytest.mark.parametrize(("insisted_on", "error"), [(True, TruncatedStreamError), (False, ConnectionAbortedError)])
def test_an_end_without_close_notify_is_an_error_of_its_own_if_it_is_insisted_on(
    insisted_on: bool, error: type[Exception], server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    with (
        abrupt_server(server_context) as port,
        TCPNetworkClient(
            ("localhost", port), line_protocol(), ssl=client_context, ssl_standard_compatible=insisted_on
        ) as client,
    ):
        client.send_packet("soup")
        assert client.recv_packet(timeout=PATIENCE) == "soup"
        with pytest.raises(error) as caught:
            client.recv_packet(timeout=PATIENCE)

    assert type(caught.value) is error


@in_event_loop
async def test_tls_cannot_end_one_direction(server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> None:
    def end(port: int) -> None:
        with TCPNetworkClient(("localhost", port), line_protocol(), ssl=client_context) as client:
            client.send_eof()

    async with running(server := line_server(Kitchen(), ssl=server_context)):
        with pytest.raises(UnsupportedOperation):
            await run_sync(end, server.get_addresses()[0].port)


# Time limits


@in_event_loop
async def test_a_server_drops_who_does_not_finish_the_handshake(
    server_context: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    server = line_server(Kitchen(), ssl=server_context, ssl_handshake_timeout=0.05)

    async with running(server), connected(server) as silent:
        assert await silent.is_closed()

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_client_does_not_wait_for_a_handshake_forever(client_context: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimeoutError):
        address = ("localhost", silent.getsockname()[1])
        TCPNetworkClient(address, line_protocol(), ssl=client_context, ssl_handshake_timeout=0.05)


# When it fails

CERTIFICATES: dict[str, tuple[str, dict[str, Any], str]] = {
    "unable to get local issuer certificate": ("localhost", {}, "TLSV1_ALERT_UNKNOWN_CA"),
    "Hostname mismatch": ("example.org", {}, "SSLV3_ALERT_BAD_CERTIFICATE"),
    "certificate has expired": (
        "localhost",
        {"not_before": datetime(2000, 1, 1, tzinfo=UTC), "not_after": datetime(2001, 1, 1, tzinfo=UTC)},
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    ),
}
"""What is wrong with a certificate: its name, its dates, and what the server hears."""


@in_event_loop
@pytest.mark.parametrize("message", CERTIFICATES)
async def test_a_refused_certificate_is_told_to_both_sides(
    message: str, tmp_path: Path, authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    name, dates, alert = CERTIFICATES[message]
    trusted = issue(tmp_path, authority, name, **dates)
    if alert == "TLSV1_ALERT_UNKNOWN_CA":
        trustme.CA().cert_pem.write_to_path(trusted)
    logged = anyio.Event()

    async with running(server := line_server(Kitchen(), ssl=CODE["server_identity"](tmp_path), logger=telling(logged))):
        with pytest.raises(ssl.SSLCertVerificationError, match=message):
            await run_sync(asking(CODE["guest"], server, trusted))
        with anyio.fail_after(PATIENCE):
            await logged.wait()

    assert alert in warning_of(caplog)


@in_event_loop
async def test_an_old_client_is_told_that_the_server_wants_newer_tls(tmp_path: Path, authority: trustme.CA) -> None:
    trusted = issue(tmp_path, authority, "localhost")

    def old(port: int) -> TCPNetworkClient[str, str]:
        context = ssl.create_default_context(cafile=trusted)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return TCPNetworkClient(("localhost", port), line_protocol(), ssl=context)

    async with running(server := line_server(Kitchen(), ssl=CODE["server_identity"](tmp_path))):
        with pytest.raises(ssl.SSLError, match="TLSV1_ALERT_PROTOCOL_VERSION"):
            await run_sync(asking(old, server))


@in_event_loop
async def test_a_server_without_tls_ends_the_handshake_of_its_client(client_context: ssl.SSLContext) -> None:
    def secure(port: int) -> TCPNetworkClient[str, str]:
        return TCPNetworkClient(("localhost", port), line_protocol(), ssl=client_context)

    async with running(server := line_server(Kitchen())):
        with pytest.raises(ConnectionAbortedError, match="during the TLS handshake"):
            await run_sync(asking(secure, server))


@in_event_loop
async def test_a_client_without_tls_loses_the_connection(server_context: ssl.SSLContext) -> None:
    def plain(port: int) -> TCPNetworkClient[str, str]:
        return TCPNetworkClient(("127.0.0.1", port), line_protocol())

    async with running(server := line_server(Kitchen(), ssl=server_context)):
        with pytest.raises(ConnectionAbortedError):
            await run_sync(asking(plain, server))


def test_options_that_cannot_work_say_so(client_context: ssl.SSLContext) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(ValueError, match="server_hostname: required with ssl="),
    ):
        TCPNetworkClient(socket.create_connection(listener.getsockname()), line_protocol(), ssl=client_context)
    with pytest.raises(ValueError, match="ssl_handshake_timeout: means nothing without ssl="):
        TCPNetworkClient(("localhost", 1), line_protocol(), ssl_handshake_timeout=1)
