# SPDX-License-Identifier: Apache-2.0
"""What "Under attack" says of defaults, and its example.

What a server withstands is proven by the tests of attacks.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest
from pages import DOCS, Page
from running_server import running

from easynetwork.ancillary import CONTROL_BUFSIZE
from easynetwork.serializers import JSONSerializer
from easynetwork.serializers.wrapper import ZlibCompressorSerializer
from easynetwork.servers.engine.settings import BACKLOG
from easynetwork.servers.handlers import AsyncStreamClient, AsyncStreamRequestHandler
from easynetwork.servers.options import ServerLimits, ServerTimeouts

NAME = "under-attack.md"
TEXT = (DOCS / NAME).read_text()
CODE = Page(NAME).run()

in_event_loop = pytest.mark.anyio


def value(said: str) -> object:
    """What a default in brackets says."""
    if said in {"none", "`True`"}:
        return None if said == "none" else True
    number, _, unit = said.partition(" ")
    return int(number.replace(",", "")) * {"": 1, "s": 1, "KiB": 1 << 10, "MiB": 1 << 20}[unit]


def defaults() -> dict[str, object]:
    records = {**dataclasses.asdict(ServerLimits()), **dataclasses.asdict(ServerTimeouts())}
    compressor = inspect.signature(ZlibCompressorSerializer).parameters
    return {
        **records,
        "limit": inspect.signature(JSONSerializer).parameters["limit"].default,
        "max_decompressed_size": compressor["max_decompressed_size"].default,
        "backlog": BACKLOG,
        "ancillary_bufsize": CONTROL_BUFSIZE,
        "ssl_standard_compatible": True,
    }


def test_every_default_on_the_page_is_the_default() -> None:
    said = re.findall(r"`(\w+)` \((none|`True`|[\d,]+(?: s| KiB| MiB)?)\)", TEXT)

    assert len(said) == len(re.findall(r"`\w+` \(", TEXT))
    assert [(name, value(default)) for name, default in said] == [(name, defaults()[name]) for name, _ in said]


def test_every_limit_and_time_out_has_its_attack() -> None:
    fields = {field.name for record in (ServerLimits, ServerTimeouts) for field in dataclasses.fields(record)}

    assert fields <= set(re.findall(r"`(\w+)` \(", TEXT))


def test_every_case_is_in_the_table_once() -> None:
    text, _, _ = TEXT.partition("<!--")
    rows = [row for cells in re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE) for row in cells.split(", ")]

    assert sorted(map(int, rows)) == list(range(1, 31))


class Echo(AsyncStreamRequestHandler[object, object]):
    async def handle(self, client: AsyncStreamClient[object]) -> AsyncGenerator[None, object]:
        await client.send_packet((yield))


@in_event_loop
async def test_a_server_for_strangers_serves() -> None:
    server: Any = CODE["server_for_strangers"]("127.0.0.1", 0, Echo())
    async with running(server):
        address = server.get_addresses()[0]
        async with await anyio.connect_tcp(address.host, address.port) as stream:
            await stream.send(b"[1]\n")
            assert await stream.receive() == b"[1]\n"
