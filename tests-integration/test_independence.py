# SPDX-License-Identifier: Apache-2.0
"""No distribution needs one that it does not declare, and whoever asks for a missing one is told
its name.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable

import pytest
from clean_environments import META, WORKSPACE, CleanEnvironment, Wheels, build_wheels, closure

from wslib.measuring import public_modules

pytestmark = pytest.mark.timeout(300)  # builds the wheels, and asks the package index for what they need

SERVERS = ("en-servers-tcp", "en-servers-udp", "en-servers-unix")

# Every module of these distributions is imported, and every file that they have installed is still
# there.
USE_ALL = """
import importlib, importlib.metadata, json
errors = {{}}
for name in {names}:
    for file in importlib.metadata.distribution(name).files:
        if not file.locate().exists():
            errors[str(file)] = "is gone"
        elif file.suffix == ".py":
            parts = file.parent.parts if file.name == "__init__.py" else file.with_suffix("").parts
            try:
                importlib.import_module(".".join(parts))
            except Exception as exc:
                errors[str(file)] = repr(exc)
print(json.dumps(errors))
"""

LOADED_BY = """
import json, sys
for name in {names}:
    __import__(name)
print(json.dumps(list(sys.modules)))
"""

ERROR_OF = """
try:
    {program}
except ImportError as exc:
    print(exc)
"""

OF_SERVERS = "from easynetwork.servers import {}"
BACKEND = "from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend; new_builtin_backend({!r})"


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    return build_wheels(tmp_path_factory.getbasetemp() / "wheels")


@pytest.fixture(scope="module")
def without(wheels: Wheels, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], CleanEnvironment]:
    """Gives an environment in which everything was installed, and then one distribution
    uninstalled.
    """
    folder = tmp_path_factory.mktemp("independence")
    # What the extra `testing` brings is needed by a module of en-backend.
    everything = wheels.install(
        folder / "everything", wheels.everything(*WORKSPACE.members[META].extras), "en-backend[testing]"
    )

    @functools.cache
    def uninstall(name: str) -> CleanEnvironment:
        environment = everything.copy(folder / name)
        environment.uninstall(name)
        return environment

    return uninstall


def independent_of(name: str) -> list[str]:
    return [other for other in WORKSPACE.members if name not in closure(other)]


@pytest.mark.parametrize("name", list(WORKSPACE.members))
def test_uninstalling_one_distribution_leaves_the_others_working(
    name: str, without: Callable[[str], CleanEnvironment]
) -> None:
    environment = without(name)

    assert name not in environment.installed()
    assert json.loads(environment.run(USE_ALL.format(names=independent_of(name)))) == {}


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("en-servers-tcp", OF_SERVERS.format("AsyncTCPNetworkServer")),
        ("en-servers-tcp", OF_SERVERS.format("StandaloneTCPNetworkServer")),
        ("en-servers-udp", OF_SERVERS.format("AsyncUDPNetworkServer")),
        ("en-servers-udp", OF_SERVERS.format("StandaloneUDPNetworkServer")),
        ("en-backend-asyncio", BACKEND.format("asyncio")),
        ("en-backend-trio", BACKEND.format("trio")),
        ("en-ancillary", "from easynetwork.lowlevel.socket import SocketAncillary"),
    ],
)
def test_what_is_missing_is_named(name: str, program: str, without: Callable[[str], CleanEnvironment]) -> None:
    message = without(name).run(ERROR_OF.format(program=program)).strip()

    assert f"the distribution '{name}', which is not installed" in message or (
        "is not installed" in message and message.endswith(f"install the distribution {name}")
    )


@pytest.mark.parametrize("name", ["en-servers-udp", "en-servers-unix", "en-backend-asyncio"])
def test_what_has_no_use_for_tls_and_trio_loads_neither(
    name: str, wheels: Wheels, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = wheels.install(tmp_path_factory.mktemp(name), name)
    [wheel] = wheels.constraints.parent.glob(f"{name.replace('-', '_')}-*.whl")

    loaded: list[str] = json.loads(environment.run(LOADED_BY.format(names=public_modules(wheel))))

    assert set(public_modules(wheel)) <= set(loaded)
    assert not {module for module in loaded if module.startswith(("easynetwork.lowlevel.tls", "trio"))}
    assert not {"trio", "en-backend-trio"} & environment.installed()


def test_clients_and_servers_do_without_each_other() -> None:
    assert not {name for name in closure("en-clients") if name.startswith("en-servers")}
    assert not {name for name in SERVERS if "en-clients" in closure(name)}
