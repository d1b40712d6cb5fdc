# SPDX-License-Identifier: Apache-2.0
"""An environment that still has the original easynetwork, one distribution with files of the same
names, is told so.
"""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest
from clean_environments import ADVICE, CleanEnvironment, Wheels, build_wheels

pytestmark = pytest.mark.timeout(300)  # builds the wheels, and asks the package index for what they need

INFO = "easynetwork-1.2.0.dist-info"
OLD = {
    "easynetwork/__init__.py": '__version__ = "1.2.0"\n',
    "easynetwork/exceptions.py": "class ClientClosedError(Exception): pass\n",
    "easynetwork/servers/__init__.py": "from .async_tcp import AsyncTCPNetworkServer\n",
    "easynetwork/servers/async_tcp.py": "from ..exceptions import ClientClosedError\nclass AsyncTCPNetworkServer: pass\n",
    f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: easynetwork\nVersion: 1.2.0\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    return build_wheels(tmp_path_factory.getbasetemp() / "wheels")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A wheel that is laid out as the original is."""
    wheel = tmp_path / "easynetwork-1.2.0-py3-none-any.whl"
    record = "".join(f"{name},,\n" for name in (*OLD, f"{INFO}/RECORD"))
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**OLD, f"{INFO}/RECORD": record}.items():
            archive.writestr(name, text)
    return wheel


def add_old(environment: CleanEnvironment, old: Path) -> None:
    environment.uv.run("pip", "install", "--quiet", "--python", environment.python, old, advice=ADVICE)


@pytest.mark.parametrize(
    "import_", ["easynetwork.servers.async_tcp", "easynetwork.protocol", "easynetwork.serializers"]
)
def test_it_is_named_when_it_was_added_to_ours(wheels: Wheels, tmp_path: Path, old: Path, import_: str) -> None:
    environment = wheels.install(tmp_path / "venv", "en-servers-tcp")
    add_old(environment, old)

    assert last_line(environment, f"import {import_}").startswith(
        "ImportError: this environment also has the old easynetwork"
    )


def test_it_is_named_when_ours_were_added_to_it(wheels: Wheels, tmp_path: Path, old: Path) -> None:
    environment = wheels.install(tmp_path / "venv", "en-servers-tcp", old)

    program = "from easynetwork.servers import AsyncTCPNetworkServer"
    assert "uninstall it (pip uninstall easynetwork)" in last_line(environment, program)


def test_what_it_says_helps(wheels: Wheels, tmp_path: Path, old: Path) -> None:
    environment = wheels.install(tmp_path / "venv", "en-servers-tcp")
    add_old(environment, old)
    uv = environment.uv

    uv.run("pip", "uninstall", "--quiet", "--python", environment.python, "easynetwork", advice=ADVICE)
    words = ("pip", "install", "--quiet", "--reinstall", "--no-sources", "--constraints", wheels.constraints)
    uv.run(*words, "--python", environment.python, "en-servers-tcp", advice=ADVICE)

    environment.run("from easynetwork.servers import AsyncTCPNetworkServer")


def last_line(environment: CleanEnvironment, program: str) -> str:
    result = subprocess.run([environment.python, "-I", "-c", program], capture_output=True, text=True, check=False)
    return result.stderr.splitlines()[-1]
