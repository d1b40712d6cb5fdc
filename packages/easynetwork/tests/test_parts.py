# SPDX-License-Identifier: Apache-2.0
"""One install brings everything that the README promises."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import requires
from importlib.util import find_spec

import pytest

PROMISED = (
    "easynetwork.ancillary",
    "easynetwork.backends.asyncio",
    "easynetwork.clients",
    "easynetwork.converter",
    "easynetwork.exceptions",
    "easynetwork.lowlevel",
    "easynetwork.protocol",
    "easynetwork.serializers",
    "easynetwork.servers",
    "easynetwork.servers.async_tcp",
    "easynetwork.servers.async_udp",
    "easynetwork.servers.async_unix_datagram",
    "easynetwork.servers.async_unix_stream",
    "easynetwork.servers.handlers",
    "easynetwork.servers.standalone_tcp",
    "easynetwork.servers.standalone_udp",
    "easynetwork.servers.standalone_unix_datagram",
    "easynetwork.servers.standalone_unix_stream",
    "easynetwork.servers.threads_helper",
)


@pytest.mark.parametrize("name", PROMISED)
def test_every_part_is_there(name: str) -> None:
    module = import_module(name)

    for offered in getattr(module, "__all__", ()):
        assert getattr(module, offered) is not None


def test_every_transport_is_offered_in_one_place() -> None:
    servers = import_module("easynetwork.servers")

    assert set(servers.__all__) == {
        "AsyncTCPNetworkServer",
        "AsyncUDPNetworkServer",
        "StandaloneTCPNetworkServer",
        "StandaloneUDPNetworkServer",
    }


def test_every_extra_is_declared() -> None:
    declared = requires("easynetwork") or []

    for extra in ("cbor", "msgpack", "trio", "uvloop"):
        assert any(f'extra == "{extra}"' in text.replace("'", '"') for text in declared)


@pytest.mark.parametrize(
    ("brought", "module", "name"),
    [
        ("cbor2", "easynetwork.serializers.cbor", "CBORSerializer"),
        ("msgpack", "easynetwork.serializers.msgpack", "MessagePackSerializer"),
        ("trio", "easynetwork.backends.trio", "TrioBackend"),
    ],
)
def test_what_an_extra_is_for_works_with_it(brought: str, module: str, name: str) -> None:
    if find_spec(brought) is None:
        pytest.skip("the extra is not installed")

    getattr(import_module(module), name)()
