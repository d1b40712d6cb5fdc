# SPDX-License-Identifier: Apache-2.0
"""Pickles, read by unpicklers that refuse every global: what else is in a pickle is the peer's
program, and does what it likes.

Neither of the standard library's two unpicklers bounds its memory, whatever it refuses. That in C
makes a table as long as the highest number that an opcode stores under; that in Python makes an
array of the length that is announced. Four bytes are gigabytes in both. So each is spared what the
other one can take. The fuzzer sees through the one in Python; the one in C is what users have.
"""

from __future__ import annotations

import pickle
from typing import Any

from easynetwork.exceptions import DatagramProtocolParseError
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import PickleSerializer

from .target import MAX_LENGTH, Target, require

__all__ = ("pickles",)

_TOO_MUCH_FOR_C = (pickle.PUT, pickle.LONG_BINPUT)
_TOO_MUCH_FOR_PYTHON = (pickle.BYTEARRAY8,)

_PACKETS: list[Any] = [
    *({"a": [1, None]}, b"bytes", "text", 2**70, 1.5, True, (), (1,), {1}, frozenset({"a"}), bytearray(b"a")),
    *([[]] * 3, ["a", "a"], -1, 255, 70000, (1, 2, 3, 4)),
]


def _refuse(unpickler: object, module_name: str, global_name: str, /) -> Any:
    raise pickle.UnpicklingError("refused")


def _protocol(unpickler: Any) -> DatagramProtocol[Any, Any]:
    restricted: Any = type("Restricted", (unpickler,), {"find_class": _refuse})
    return DatagramProtocol(PickleSerializer(unpickler_cls=restricted))


def pickles() -> Target:
    """Makes the target. An input is a pickle."""
    in_c, in_python = map(_protocol, (pickle.Unpickler, vars(pickle)["_Unpickler"]))

    def run(data: bytes) -> None:
        for protocol, too_much in (in_c, _TOO_MUCH_FOR_C), (in_python, _TOO_MUCH_FOR_PYTHON):
            if not any(opcode in data for opcode in too_much):
                _read(protocol, data)

    seeds = [pickle.dumps(packet, protocol) for protocol in range(6) for packet in (*_PACKETS, int)]
    words = (b"\x80\x04\x95", b"\x8c\x04", b"\x8a\x02", b"I01\n", b"F1.5\n", b"V\\u00e9\n", b"csys\nexit\n", b"(lp0\n")
    return Target(run, tuple(seed for seed in seeds if len(seed) <= MAX_LENGTH), words)


def _read(protocol: DatagramProtocol[Any, Any], data: bytes) -> None:
    try:
        protocol.build_packet_from_datagram(data)
    except DatagramProtocolParseError as exc:
        require(exc.error.error_info is None, "No payload leaks into errors", exc.error.error_info)
