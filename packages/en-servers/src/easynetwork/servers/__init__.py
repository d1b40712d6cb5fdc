# SPDX-License-Identifier: Apache-2.0
"""Servers, one distribution for each transport; this package offers those that are installed.

The transports live in distributions of their own (en-servers-tcp, en-servers-udp, en-servers-unix).
Their classes are imported when they are first asked for, so that a program pays only for what it
uses.
"""

from __future__ import annotations

from pkgutil import extend_path
from typing import TYPE_CHECKING

__path__ = extend_path(__path__, __name__)  # editable installs put the transports into folders of their own

if TYPE_CHECKING:
    from easynetwork.servers.async_tcp import AsyncTCPNetworkServer
    from easynetwork.servers.async_udp import AsyncUDPNetworkServer
    from easynetwork.servers.standalone_tcp import StandaloneTCPNetworkServer
    from easynetwork.servers.standalone_udp import StandaloneUDPNetworkServer

    __all__ = (
        "AsyncTCPNetworkServer",
        "AsyncUDPNetworkServer",
        "StandaloneTCPNetworkServer",
        "StandaloneUDPNetworkServer",
    )
else:
    _TRANSPORTS = {
        "AsyncTCPNetworkServer": ("async_tcp", "en-servers-tcp"),
        "AsyncUDPNetworkServer": ("async_udp", "en-servers-udp"),
        "StandaloneTCPNetworkServer": ("standalone_tcp", "en-servers-tcp"),
        "StandaloneUDPNetworkServer": ("standalone_udp", "en-servers-udp"),
    }

    def _is_installed(module):
        from importlib.util import find_spec

        return find_spec(f"{__name__}.{module}") is not None

    __all__ = tuple(name for name, (module, _) in _TRANSPORTS.items() if _is_installed(module))

    def __getattr__(name):
        from importlib import import_module

        if name not in _TRANSPORTS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, distribution = _TRANSPORTS[name]
        full_name = f"{__name__}.{module}"
        try:
            value = getattr(import_module(full_name), name)
        except ModuleNotFoundError as exc:
            if exc.name != full_name:
                raise  # the transport is there and broken: its own error tells more
            raise ImportError(
                f"{__name__}.{name} needs the distribution {distribution!r}, which is not installed", name=full_name
            ) from exc
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})
