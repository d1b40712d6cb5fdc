# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio
import pytest

from easynetwork.exceptions import TypedAttributeLookupError
from easynetwork.lowlevel.typed_attr import TypedAttributeProvider, TypedAttributeSet, typed_attribute


class Attribute(TypedAttributeSet):
    colour: str = typed_attribute()
    weight: int = typed_attribute()


class Thing(TypedAttributeProvider):
    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return {Attribute.colour: lambda: "red"}


def test_extra_gives_what_is_on_offer() -> None:
    assert Thing().extra(Attribute.colour) == "red"
    assert Thing().extra(Attribute.colour, None) == "red"


def test_extra_raises_our_error_for_a_missing_attribute() -> None:
    with pytest.raises(TypedAttributeLookupError):
        Thing().extra(Attribute.weight)


def test_extra_gives_the_default_for_a_missing_attribute() -> None:
    assert Thing().extra(Attribute.weight, None) is None


def test_a_provider_offers_nothing_by_itself() -> None:
    assert dict(TypedAttributeProvider().extra_attributes) == {}


def test_providers_are_those_of_anyio() -> None:
    assert isinstance(Thing(), anyio.TypedAttributeProvider)


def test_attributes_must_be_annotated() -> None:
    with pytest.raises(TypeError, match="colour"):
        type("Bad", (TypedAttributeSet,), {"colour": typed_attribute()})
