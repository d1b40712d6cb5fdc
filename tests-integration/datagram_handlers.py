# SPDX-License-Identifier: Apache-2.0
"""Request handlers of datagrams, for what holds for UDP and for Unix sockets."""

from __future__ import annotations

import contextvars
import logging
import traceback
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from easynetwork.converter import AbstractPacketConverter
from easynetwork.exceptions import DatagramProtocolParseError, PacketConversionError
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler


@dataclass(frozen=True)
class Request:
    text: str


@dataclass(frozen=True)
class Response:
    text: str = "response"


class BadRequest(Response):
    def __init__(self) -> None:
        super().__init__("bad request")


class InternalError(Response):
    def __init__(self) -> None:
        super().__init__("internal error")


class TimedOut(Response):
    def __init__(self) -> None:
        super().__init__("timed out")


class TextToRequest(AbstractPacketConverter[Any, str]):
    """One word is a bad request, and another one makes the protocol crash."""

    def create_from_dto_packet(self, packet: str) -> Request:
        if packet == "bad":
            raise PacketConversionError("not a request")
        if packet == "crash":
            raise ZeroDivisionError
        return Request(packet)

    def convert_to_dto_packet(self, obj: Response) -> str:
        return obj.text


class ServerProtocol(DatagramProtocol[Response, Request]):
    def __init__(self) -> None:
        super().__init__(StringLineSerializer(), TextToRequest())


Handler = AsyncDatagramRequestHandler[Request, Response]
Client = AsyncDatagramClient[Response]


class Shouting(Handler):
    async def handle(self, client: Client) -> AsyncGenerator[None, Request]:
        request = yield
        await client.send_packet(Response(request.text.upper()))


class Noting(Handler):
    def __init__(self) -> None:
        self.events: list[str] = []

    async def handle(self, client: Client) -> AsyncGenerator[None, Request]:
        self.events.append("before yield")
        request = yield
        self.events.append(request.text)
        await client.send_packet(Response())


class Choosy(Handler):
    """Talks to peers only one of whose attributes has a certain value."""

    def __init__(self, attribute: Any, allowed: object) -> None:
        self._attribute = attribute
        self._allowed = allowed

    async def handle(self, client: Client) -> AsyncGenerator[None, Request]:
        if client.extra(self._attribute) != self._allowed:
            return
        request = yield
        await client.send_packet(Response(request.text))


class Apologizing(Handler):
    async def handle(self, client: Client) -> AsyncGenerator[None, Request]:
        try:
            request = yield
        except DatagramProtocolParseError:
            await client.send_packet(BadRequest())
        except Exception:
            traceback.print_exc()
            await client.send_packet(InternalError())
        else:
            await client.send_packet(Response(request.text))


class FollowingUp(Handler):
    async def handle(self, client: Client) -> AsyncGenerator[None, Request]:
        request = yield
        await client.send_packet(Response(request.text))
        if request.text == "more to come":
            more = yield
            await client.send_packet(Response(f"additional {more.text}"))


class Remembering(Handler):
    """Knows whom it is talking to without being told."""

    def __init__(self, attribute: Any) -> None:
        self._attribute = attribute
        self.peer: contextvars.ContextVar[object] = contextvars.ContextVar("peer")

    def _log(self, text: str) -> None:
        logging.getLogger(__name__).info("%s: %s", self.peer.get(), text)

    async def handle(self, client: Client) -> AsyncGenerator[None, Request]:
        self.peer.set(client.extra(self._attribute))
        request = yield
        self._log(request.text)
        await client.send_packet(Response())
