# SPDX-License-Identifier: Apache-2.0
"""The request handlers of "How-to - UDP Servers" and "Unix Datagram Servers", which share most of them; what they leave out is filled in."""

from __future__ import annotations

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


# NOTE: The sent packet is "Response" and the received packet is "Request"
class ServerProtocol(DatagramProtocol[Response, Request]):
    def __init__(self) -> None:
        super().__init__(StringLineSerializer(), TextToRequest())


class MyRequestHandler(AsyncDatagramRequestHandler[Request, Response]):
    """
    The request handler class for our server.

    It is instantiated once to the server, and must
    override the handle() method to implement communication to the
    client.
    """

    async def handle(
        self,
        client: AsyncDatagramClient[Response],
    ) -> AsyncGenerator[None, Request]:
        # "client" a placeholder to have a stream-like API.
        # All the datagrams sent by this client are sent
        # through the "yield" statement.
        request: Request = yield

        # Do some stuff
        text = request.text.upper()

        response = Response(text)

        # The corresponding call is server_socket.sendto(data, remote_address)
        await client.send_packet(response)


class MinimumRequestHandler(AsyncDatagramRequestHandler[Request, Response]):
    def __init__(self) -> None:
        self.events: list[str] = []

    async def handle(
        self,
        client: AsyncDatagramClient[Response],
    ) -> AsyncGenerator[None, Request]:
        ### Before 'yield'
        # Initializes the generator.
        # This is the setup part before receiving a request.
        # Unlike the stream request handler, the generator is started
        # when the datagram is received (but is not parsed yet).
        ##################
        self.events.append("before yield")

        request: Request = yield

        ### After 'yield'
        # The received datagram is parsed.
        # you can do whatever you want with it and send responses back
        # to the client if necessary.
        self.events.append(request.text)
        await client.send_packet(Response())
        #################

        ### On a 'return'
        # When handle() returns, it means that this request handler is finished.
        # The server creates a new generator when a new datagram is received.
        #################
        return


class SkipDatagramRequestHandler(AsyncDatagramRequestHandler[Request, Response]):
    def __init__(self, attribute: Any, allowed: object) -> None:
        self._attribute = attribute
        self._allowed = allowed

    def should_handle(self, client: AsyncDatagramClient[Response]) -> bool:
        return bool(client.extra(self._attribute) == self._allowed)

    async def handle(
        self,
        client: AsyncDatagramClient[Response],
    ) -> AsyncGenerator[None, Request]:
        if not self.should_handle(client):
            # By returning before the "yield" statement, you ask the server to discard
            # the received datagram.
            return

        request: Request = yield
        await client.send_packet(Response(request.text))


class ErrorHandlingInRequestHandler(AsyncDatagramRequestHandler[Request, Response]):
    async def handle(
        self,
        client: AsyncDatagramClient[Response],
    ) -> AsyncGenerator[None, Request]:
        try:
            # *All* exceptions are thrown through the "yield" statement
            # (including BaseException). But you should only catch Exception subclasses.
            request: Request = yield
        except DatagramProtocolParseError:
            await client.send_packet(BadRequest())
        except Exception:
            # Runtime error. Log the error.
            traceback.print_exc()

            await client.send_packet(InternalError())
        else:
            await client.send_packet(Response(request.text))


class MultipleYieldInRequestHandler(AsyncDatagramRequestHandler[Request, Response]):
    def need_something_else(self, request: Request, client: AsyncDatagramClient[Response]) -> bool:
        return request.text == "more to come"

    async def handle(
        self,
        client: AsyncDatagramClient[Response],
    ) -> AsyncGenerator[None, Request]:
        request: Request = yield

        ...

        await client.send_packet(Response(request.text))

        if self.need_something_else(request, client):
            additional_data: Request = yield

            ...

            await client.send_packet(Response(f"additional {additional_data.text}"))


def written_for(framework: str, program: str) -> str:
    """A program of the documents, which run on asyncio, as it is written for another framework."""
    if framework == "asyncio":
        return program
    return program.replace("asyncio.run(main())", f"{framework}.run(main)").replace("asyncio", framework)
