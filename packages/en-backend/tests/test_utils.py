# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import importlib
import pathlib
import sys
from collections.abc import Callable, Iterator

import pytest
import sniffio
import trio

from easynetwork.lowlevel.api_async.backend import utils
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend
from easynetwork.lowlevel.api_async.backend.utils import (
    ensure_backend,
    new_builtin_backend,
    refuse_nested_event_loop,
)

AN_UNFINISHED_BACKEND = """
from easynetwork.lowlevel.api_async.backend.abc import AsyncBackend

class {name}(AsyncBackend):
    pass
"""

A_BACKEND = AN_UNFINISHED_BACKEND + "{name}.__abstractmethods__ = frozenset()"

Install = Callable[[str, str, str], None]


@pytest.fixture
def install(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with one module and one entry point into an environment where nothing
    else is.
    """
    modules: list[str] = []

    def install(distribution: str, entry_point: str, source: str) -> None:
        metadata = tmp_path / f"{distribution}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[easynetwork.backends]\n{entry_point}\n")
        module = entry_point.partition("=")[2].partition(":")[0].strip()
        (tmp_path / f"{module}.py").write_text(source)
        modules.append(module)

    monkeypatch.setattr(sys, "path", [str(tmp_path), *(p for p in sys.path if "site-packages" not in p)])
    monkeypatch.setattr(utils, "_instances", {})
    yield install
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture(autouse=True)
def _installed(install: Install) -> None:
    """Where the distributions of the backends "asyncio" and "third" are installed, to begin
    with.
    """
    for name in ("asyncio", "third"):
        class_name = f"{name.title()}Backend"
        install(f"some_{name}", f"{name} = some_{name}_backend:{class_name}", A_BACKEND.format(name=class_name))


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


def test_a_name_that_two_distributions_bring_is_refused_and_both_are_named(install: Install) -> None:
    install("impostor", "asyncio = impostor:Backend", A_BACKEND.format(name="Backend"))

    with pytest.raises(ValueError, match=r"'asyncio' is ambiguous") as caught:
        ensure_backend("asyncio")

    for claim in ("'some_asyncio_backend:AsyncioBackend' of some_asyncio", "'impostor:Backend' of impostor"):
        assert claim in str(caught.value)


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import not_there", ModuleNotFoundError),
        ("Backends = 1", AttributeError),
        ("Backend = not a backend", SyntaxError),
        ("raise LookupError('at import')", LookupError),
    ],
)
def test_what_cannot_be_imported_is_named_by_its_entry_point(
    install: Install, source: str, cause: type[Exception]
) -> None:
    install("broken_one", "broken = broken_backend:Backend", source)

    with pytest.raises(ImportError, match=r"'broken'.*'broken_backend:Backend' of broken_one") as caught:
        ensure_backend("broken")

    assert isinstance(caught.value.__cause__, cause)
    assert cause.__name__ in str(caught.value)


@pytest.mark.parametrize("source", ["class Backend: pass", "Backend = object()", "def Backend(): pass"])
def test_what_is_no_backend_is_named_by_its_entry_point(install: Install, source: str) -> None:
    install("other", "other = other_module:Backend", source)

    with pytest.raises(TypeError, match=r"'other'.*'other_module:Backend' of other.*AsyncBackend"):
        ensure_backend("other")


def test_what_a_backend_raises_when_it_is_made_comes_out(install: Install) -> None:
    install("half", "half = half_module:HalfBackend", AN_UNFINISHED_BACKEND.format(name="HalfBackend"))

    with pytest.raises(TypeError, match="HalfBackend"):
        ensure_backend("half")


def test_an_entry_point_that_failed_is_tried_again(install: Install, tmp_path: pathlib.Path) -> None:
    install("broken_one", "broken = broken_backend:Backend", "raise OSError")
    with pytest.raises(ImportError):
        ensure_backend("broken")

    (tmp_path / "broken_backend.py").write_text(A_BACKEND.format(name="Backend"))
    importlib.invalidate_caches()

    assert type(ensure_backend("broken")).__name__ == "Backend"


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


def test_a_thread_that_has_a_copy_of_a_task_s_context_is_in_no_event_loop() -> None:
    async def main() -> None:
        sniffio.current_async_library_cvar.set("asyncio")  # as anyio does
        with pytest.raises(RuntimeError, match="no event loop is running"):
            await asyncio.to_thread(ensure_backend, None)
        await asyncio.to_thread(refuse_nested_event_loop)

    asyncio.run(main())


def test_none_is_the_running_trio() -> None:
    async def main() -> None:
        with pytest.raises(ImportError, match="en-backend-trio"):
            ensure_backend(None)

    trio.run(main)
