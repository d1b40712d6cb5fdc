# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import pathlib
import sys
from collections.abc import Iterator

import pytest
import trio

from easynetwork.lowlevel.api_async.backend import utils
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.api_async.backend.utils import ensure_backend, new_builtin_backend

A_BACKEND = """
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

class {name}(AsyncBackend):
    pass

{name}.__abstractmethods__ = frozenset()
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment where the distributions of the backends "asyncio" and "third" are installed, and nothing else."""
    for name in ("asyncio", "third"):
        metadata = tmp_path / f"some_{name}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: some-{name}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(
            f"[easynetwork.backends]\n{name} = some_{name}_backend:{name.title()}Backend\n"
        )
        (tmp_path / f"some_{name}_backend.py").write_text(A_BACKEND.format(name=f"{name.title()}Backend"))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(p for p in sys.path if "site-packages" not in p)])
    monkeypatch.setattr(utils, "_instances", {})
    yield
    for name in ("asyncio", "third"):
        sys.modules.pop(f"some_{name}_backend", None)


def test_one_instance_for_each_name() -> None:
    assert new_builtin_backend("asyncio") is new_builtin_backend("asyncio")
    assert isinstance(new_builtin_backend("asyncio"), AsyncBackend)


def test_third_parties_come_through_the_same_door() -> None:
    backend = ensure_backend("third")

    assert type(backend).__name__ == "ThirdBackend"
    assert ensure_backend(backend) is backend


def test_our_own_that_is_not_installed_names_its_distribution() -> None:
    with pytest.raises(ImportError, match="en-backend-trio"):
        ensure_backend("trio")


def test_unknown_names_are_value_errors_that_list_the_others() -> None:
    with pytest.raises(ValueError, match=r"'curio'.*asyncio, third"):
        ensure_backend("curio")


@pytest.mark.parametrize("backend", [3, AsyncBackend, b"asyncio"])
def test_other_types_are_type_errors(backend: object) -> None:
    with pytest.raises(TypeError, match="backend"):
        ensure_backend(backend)  # type: ignore[arg-type]  # the error to be found


def test_without_a_running_loop_none_says_what_to_pass() -> None:
    with pytest.raises(RuntimeError, match="backend='asyncio'"):
        ensure_backend(None)


def test_none_is_the_running_asyncio() -> None:
    async def main() -> AsyncBackend:
        return ensure_backend(None)

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        assert runner.run(main()) is new_builtin_backend("asyncio")


def test_none_in_a_callback_is_the_running_asyncio() -> None:
    async def main() -> AsyncBackend:
        found: asyncio.Future[AsyncBackend] = asyncio.Future()
        asyncio.get_running_loop().call_soon(lambda: found.set_result(ensure_backend(None)))
        return await found

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        assert runner.run(main()) is new_builtin_backend("asyncio")


def test_none_is_the_running_trio() -> None:
    async def main() -> None:
        with pytest.raises(ImportError, match="en-backend-trio"):
            ensure_backend(None)

    trio.run(main)
