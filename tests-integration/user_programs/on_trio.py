# SPDX-License-Identifier: Apache-2.0
"""A program of somebody who has installed en-servers-tcp with its extra `trio`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import assert_type

import trio

from easynetwork.backends.trio import TrioBackend
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.protocol import StreamProtocol
from easynetwork.serializers import StringLineSerializer
from easynetwork.servers import AsyncTCPNetworkServer
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler


class Sleeper(AsyncStreamRequestHandler[str, str]):
    async def handle(self, client: AsyncStreamClient[str]) -> AsyncGenerator[None, str]:
        assert_type(client.backend(), AsyncBackend)
        request = yield
        await trio.sleep(float(request))
        await client.send_packet("awake")


async def main() -> None:
    protocol = StreamProtocol(StringLineSerializer())
    async with AsyncTCPNetworkServer("127.0.0.1", 9000, protocol, Sleeper(), TrioBackend()) as server:
        await server.serve_forever()


if __name__ == "__main__":
    trio.run(main)
