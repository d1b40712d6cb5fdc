# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import Any

import pytest

from easynetwork.lowlevel.request_handler import RecvAncillaryDataParams, RecvParams


@pytest.mark.parametrize("timeout", [None, 0, 0.0, 3, 1.5, math.inf])
def test_timeouts_are_none_or_not_negative(timeout: float | None) -> None:
    assert RecvParams(timeout=timeout).timeout == timeout


@pytest.mark.parametrize("timeout", [-1, -0.5, -math.inf, math.nan])
def test_bad_numbers_are_value_errors_naming_the_field(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        RecvParams(timeout=timeout)


@pytest.mark.parametrize("timeout", [True, "3", b"3", 1j, []])
def test_no_numbers_are_type_errors(timeout: Any) -> None:
    with pytest.raises(TypeError, match="timeout"):
        RecvParams(timeout=timeout)


def test_ancillary_params_are_checked() -> None:
    params = RecvAncillaryDataParams(print)

    assert RecvParams(recv_with_ancillary=params).recv_with_ancillary is params
    with pytest.raises(TypeError, match="recv_with_ancillary"):
        RecvParams(recv_with_ancillary=print)  # type: ignore[arg-type]  # the error to be found
    with pytest.raises(TypeError, match="data_received"):
        RecvParams(recv_with_ancillary=RecvAncillaryDataParams(None))  # type: ignore[arg-type]  # the error to be found


def test_equal_values_make_equal_records() -> None:
    assert RecvParams(timeout=1) == RecvParams(timeout=1.0)
    assert hash(RecvParams(timeout=1)) == hash(RecvParams(timeout=1.0))
    assert RecvParams(timeout=1) != RecvParams()
