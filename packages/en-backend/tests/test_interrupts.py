# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from easynetwork.lowlevel.interrupts import unwrapped_interrupts


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), SystemExit(3)])
def test_an_interrupt_leaves_its_groups(interrupt: BaseException) -> None:
    with pytest.raises(type(interrupt)) as caught, unwrapped_interrupts():
        raise BaseExceptionGroup("outer", [BaseExceptionGroup("inner", [interrupt])])

    assert caught.value is interrupt


@pytest.mark.parametrize("other", [ValueError(), BaseExceptionGroup("inner", [GeneratorExit()])])
def test_an_interrupt_hides_no_other_error(other: BaseException) -> None:
    group = BaseExceptionGroup("both", [KeyboardInterrupt(), other])

    with pytest.raises(BaseExceptionGroup) as caught, unwrapped_interrupts():
        raise group

    assert caught.value is group


def test_what_is_no_group_passes() -> None:
    with pytest.raises(ValueError, match="bare"), unwrapped_interrupts():
        raise ValueError("bare")
