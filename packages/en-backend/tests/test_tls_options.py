# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ssl
from typing import Any

import pytest

from easynetwork.lowlevel.tls import TLSOptions


def test_options_have_defaults(server_context: ssl.SSLContext) -> None:
    options = TLSOptions.from_arguments(server_context, None, None, None)

    assert options == TLSOptions(context=server_context)
    assert options is not None
    assert (options.handshake_timeout, options.shutdown_timeout, options.standard_compatible) == (60, 30, True)


def test_options_are_taken_over(server_context: ssl.SSLContext) -> None:
    options = TLSOptions.from_arguments(server_context, 1, 2.5, False)

    assert options is not None
    assert (options.handshake_timeout, options.shutdown_timeout, options.standard_compatible) == (1, 2.5, False)


def test_without_a_context_there_are_no_options() -> None:
    assert TLSOptions.from_arguments(None, None, None, None) is None


@pytest.mark.parametrize("name", ["handshake_timeout", "shutdown_timeout", "standard_compatible"])
def test_options_mean_nothing_without_a_context(name: str) -> None:
    values: dict[str, Any] = dict.fromkeys(("handshake_timeout", "shutdown_timeout", "standard_compatible"))
    values[name] = False if name == "standard_compatible" else 1

    with pytest.raises(ValueError, match=f"ssl_{name}"):
        TLSOptions.from_arguments(None, **values)


@pytest.mark.parametrize("name", ["handshake_timeout", "shutdown_timeout"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), True])
def test_times_are_positive_and_finite(server_context: ssl.SSLContext, name: str, value: float) -> None:
    times: dict[str, Any] = {name: value}

    with pytest.raises(ValueError, match=f"ssl_{name}"):
        TLSOptions(context=server_context, **times)


@pytest.mark.parametrize(
    ("name", "options"),
    [("ssl", {"context": True}), ("ssl_handshake_timeout", {"handshake_timeout": "1"})],
)
def test_types_are_checked(server_context: ssl.SSLContext, name: str, options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=name):
        TLSOptions(**{**dict[str, Any](context=server_context), **options})
