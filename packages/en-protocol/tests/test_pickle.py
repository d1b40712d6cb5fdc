# SPDX-License-Identifier: Apache-2.0
"""Pickles."""

from __future__ import annotations

import pickle
from typing import Any, NamedTuple

import pytest

from easynetwork.exceptions import DeserializeError
from easynetwork.serializers import PickleSerializer
from easynetwork.serializers.pickle import PicklerConfig
from easynetwork.warnings import EasyNetworkWarning


class RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        raise pickle.UnpicklingError("refused")


class Point(NamedTuple):
    x: int
    name: str


def test_unpickling_warns() -> None:
    with pytest.warns(EasyNetworkWarning, match="unpickler_cls"):
        PickleSerializer()


def test_a_restricted_unpickler_is_used_without_warning() -> None:
    serializer = PickleSerializer(PicklerConfig(protocol=2), unpickler_cls=RestrictedUnpickler, pickler_optimize=True)
    data = serializer.serialize([1, "a"])

    assert data == pickle.dumps([1, "a"], 2).replace(b"q\x00", b"").replace(b"q\x01", b"")
    assert serializer.deserialize(data) == [1, "a"]
    with pytest.raises(DeserializeError):
        serializer.deserialize(pickle.dumps(Point(1, "a")))
