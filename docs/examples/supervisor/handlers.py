# SPDX-License-Identifier: Apache-2.0
"""What the supervisor says to workers and to those who ask about them."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

from easynetwork.exceptions import DatagramProtocolParseError
from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams
from easynetwork.lowlevel.socket import SCMCredentials, SocketAncillary
from easynetwork.servers.handlers import (
    AsyncDatagramClient,
    AsyncDatagramRequestHandler,
    AsyncStreamClient,
    AsyncStreamRequestHandler,
    UNIXClientAttribute,
)

logger = logging.getLogger(__name__)


class WorkerHandler(AsyncStreamRequestHandler[Any, Any]):
    """Gives each worker its descriptors, and listens to what it has done.

    Args:
        listener: the listening socket that all workers share.
        log: the descriptor of the file that all workers write into.
    """

    def __init__(self, listener: socket.socket, log: int) -> None:
        self._listener = listener
        self._log = log
        self.served: dict[int, int] = {}
        """Connections that each worker has accepted, by its process id."""

    async def on_connection(self, client: AsyncStreamClient[Any]) -> None:
        worker = client.extra(UNIXClientAttribute.peer_credentials)
        pid = pid_of(client)
        if worker.uid != os.getuid():
            logger.warning("process %d of user %d is no worker", pid, worker.uid)
            await client.aclose()
            return
        descriptors = SocketAncillary()
        descriptors.add_fds([self._listener.fileno(), self._log])
        await client.send_packet_with_ancillary({"descriptors": ["listener", "log"]}, descriptors)
        self.served[pid] = 0
        logger.info("worker %d has its descriptors", pid)

    async def handle(self, client: AsyncStreamClient[Any]) -> AsyncGenerator[None, Any]:
        report = yield
        match report:
            case {"served": int(count)}:
                self.served[pid_of(client)] = count
            case _:
                logger.warning("worker %d talks nonsense", pid_of(client))
                await client.aclose()

    async def on_disconnection(self, client: AsyncStreamClient[Any]) -> None:
        self.served.pop(pid_of(client), None)


def pid_of(client: AsyncStreamClient[Any]) -> int:
    return client.extra(UNIXClientAttribute.peer_credentials).pid or 0  # some systems do not tell


class ControlHandler(AsyncDatagramRequestHandler[Any, Any]):
    """Tells the status to processes of our user.

    Args:
        status: gives it, as a JSON document.
    """

    def __init__(self, status: Callable[[], Any]) -> None:
        self._status = status

    async def service_init(self, exit_stack: AsyncExitStack, server: Any) -> None:
        for sock in server.get_sockets():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    async def handle(self, client: AsyncDatagramClient[Any]) -> AsyncGenerator[RecvParams, Any]:
        control = SocketAncillary()
        receive = RecvAncillaryDataParams(control.update_from_raw)
        try:
            request = yield RecvParams(recv_with_ancillary=receive)
        except DatagramProtocolParseError:
            return
        finally:
            # Whoever asks for control messages owns the descriptors in them, wanted or not.
            for descriptor in control.iter_fds():
                os.close(descriptor)
        if request == "status" and sent_by_our_user(control):
            with suppress(OSError):  # it did not wait for the answer
                await client.send_packet(self._status())


def sent_by_our_user(control: SocketAncillary) -> bool:
    credentials = [record for record in control.messages() if isinstance(record, SCMCredentials)]
    uids = {sender.uid for record in credentials for sender in record.credentials}
    return uids == {os.getuid()}
