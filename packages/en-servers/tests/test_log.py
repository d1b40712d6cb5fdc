# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging

import pytest

from easynetwork.exceptions import ClientClosedError
from easynetwork.servers.engine.counters import Counters
from easynetwork.servers.engine.log import ClientErrorLog, RateLimit

CLOSED = ("WARNING", "There have been attempts to do operation on closed client somebody")
FAILED = ("ERROR", "Exception occurred during processing of request from somebody")
LOST_IN_HOOK = ("WARNING", "ConnectionError raised in request_handler.on_disconnection()")

closed, lost, other = ClientClosedError("closed"), ConnectionResetError("lost"), ValueError("other")


@pytest.fixture
def errors(logger: logging.Logger) -> ClientErrorLog:
    return ClientErrorLog(logger, Counters(), "somebody")


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


@pytest.mark.parametrize(
    ("error", "connections_break", "expected"),
    [
        (other, True, [FAILED]),
        (closed, True, [CLOSED]),
        (lost, True, []),
        (lost, False, [FAILED]),
        (ExceptionGroup("", [lost]), True, []),
        (ExceptionGroup("", [lost, closed]), True, [CLOSED]),
        (ExceptionGroup("", [lost, ExceptionGroup("", [closed, other])]), True, [CLOSED, FAILED]),
    ],
)
def test_errors_of_handlers_are_sorted(
    errors: ClientErrorLog,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    connections_break: bool,
    expected: list[tuple[str, str]],
) -> None:
    errors.handler_failed(error, connections_break=connections_break)

    assert logged(caplog) == expected


def test_what_is_no_error_goes_on_when_the_errors_beside_it_are_logged(
    errors: ClientErrorLog, caplog: pytest.LogCaptureFixture
) -> None:
    """As when a task group of trio's is cancelled and one of its tasks fails."""
    cancelled = SystemExit("stands for it")
    group = BaseExceptionGroup("mine", [cancelled, closed, lost, other])

    with pytest.raises(BaseExceptionGroup) as caught:
        errors.handler_failed(group, connections_break=True)

    assert caught.value.exceptions == (cancelled,)
    assert logged(caplog) == [CLOSED, FAILED]

    caplog.clear()
    with pytest.raises(BaseExceptionGroup) as caught:
        errors.disconnection_hook_failed(group)

    assert caught.value.exceptions == (cancelled,)
    assert logged(caplog) == [CLOSED, LOST_IN_HOOK, FAILED]


def test_each_record_has_its_part_of_a_group(errors: ClientErrorLog, caplog: pytest.LogCaptureFixture) -> None:
    errors.handler_failed(ExceptionGroup("mine", [lost, closed, other]), connections_break=True)

    parts = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [repr(part) for part in parts] == [
        "ExceptionGroup('mine', [ClientClosedError('closed')])",
        "ExceptionGroup('mine', [ValueError('other')])",
    ]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (other, [FAILED]),
        (closed, [CLOSED]),
        (lost, [LOST_IN_HOOK]),
        (ExceptionGroup("", [lost, closed, other]), [CLOSED, LOST_IN_HOOK, FAILED]),
    ],
)
def test_errors_of_the_goodbye_are_sorted(
    errors: ClientErrorLog, caplog: pytest.LogCaptureFixture, error: Exception, expected: list[tuple[str, str]]
) -> None:
    errors.disconnection_hook_failed(error)

    assert logged(caplog) == expected


def test_one_event_a_second_is_let_through() -> None:
    now = 100.0
    limit = RateLimit(clock=lambda: now)

    assert limit.allows()
    let_through: list[float] = []
    for tenth in range(1, 31):
        now = 100 + tenth / 10
        if limit.allows():
            let_through.append(now)

    assert let_through == [101, 102, 103]
