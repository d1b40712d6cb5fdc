# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle

import pytest

from easynetwork import exceptions
from easynetwork.exceptions import (
    ClientClosedError,
    DatagramProtocolParseError,
    DeserializeError,
    FrameBoundaryLostError,
    IncrementalDeserializeError,
    LimitOverrunError,
    PacketConversionError,
    StreamProtocolParseError,
    TruncatedStreamError,
)

INCREMENTAL = IncrementalDeserializeError("bad frame", b"rest", {"data": b"x"})
ERRORS = [
    DeserializeError("bad", {"data": b"x"}),
    INCREMENTAL,
    LimitOverrunError("too long", b"abc\nrest", 3, b"\n"),
    FrameBoundaryLostError("lost"),
    PacketConversionError("no sense", 42),
    StreamProtocolParseError(b"rest", INCREMENTAL),
    DatagramProtocolParseError(DeserializeError("bad")),
    TruncatedStreamError("cut"),
    ClientClosedError("closed"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_errors_survive_pickling(error: Exception, protocol: int) -> None:
    copy = pickle.loads(pickle.dumps(error, protocol))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.__dict__.keys() == error.__dict__.keys()
    assert getattr(copy, "remaining_data", None) == getattr(error, "remaining_data", None)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_payload_is_not_in_the_text(error: Exception) -> None:
    assert "rest" not in str(error)
    assert "rest" not in repr(error)


@pytest.mark.parametrize(
    ("consumed", "separator", "remaining", "found"),
    [
        (3, b"\n", b"rest", True),
        (3, b"", b"\nrest", False),
        (2, b"\n", b"c\nrest", False),
        (8, b"\n", b"", False),
        (3, b"\nr", b"est", True),
    ],
)
def test_limit_overrun_tells_whether_the_separator_has_come(
    consumed: int, separator: bytes, remaining: bytes, found: bool
) -> None:
    error = LimitOverrunError("too long", b"abc\nrest", consumed, separator)

    assert error.remaining_data == remaining
    assert error.separator_found is found
    assert error.error_info is None


def test_old_except_clauses_stay_true() -> None:
    assert issubclass(TruncatedStreamError, ConnectionAbortedError)
    assert issubclass(ClientClosedError, ConnectionError)
    assert issubclass(exceptions.UnsupportedOperation, NotImplementedError)
    assert issubclass(exceptions.TypedAttributeLookupError, LookupError)
    assert issubclass(FrameBoundaryLostError, DeserializeError)


def test_every_public_name_exists() -> None:
    public = {name for name, value in vars(exceptions).items() if isinstance(value, type) and not name.startswith("_")}

    assert public - {"Any"} == set(exceptions.__all__)
