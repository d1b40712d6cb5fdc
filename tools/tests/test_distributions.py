# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from wslib.distributions import built_constraints, write_constraints
from wslib.errors import WorkspaceError
from wslib.uvtool import Uv

from .fakes import LOWER, fake_workspace


def test_constraints_are_direct_references_with_hashes(tmp_path: Path) -> None:
    wheel = tmp_path / "en_servers_tcp-1.0.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")

    write_constraints(tmp_path / "constraints.txt", [wheel])

    digest = hashlib.sha256(b"a wheel").hexdigest()
    assert (tmp_path / "constraints.txt").read_text() == f"en-servers-tcp @ file://{wheel}#sha256={digest}\n"


# A `uv` that makes a wheel of every call, whose content is the number of the call.
_UV = """#!/bin/sh
while [ "$1" != --out-dir ]; do shift; done
echo called >> "$0.log"
wc -l < "$0.log" > "$2/en_lower-1.2.0-py3-none-any.whl"
"""


@pytest.fixture
def uv(tmp_path: Path) -> Uv:
    program = tmp_path / "uv"
    program.write_text(_UV)
    program.chmod(0o755)
    return Uv(program, tmp_path)


def calls(uv: Uv) -> int:
    return len(Path(f"{uv.program}.log").read_text().splitlines())


def test_wheels_are_built_once(tmp_path: Path, uv: Uv) -> None:
    workspace = fake_workspace(tmp_path / "root")
    first = built_constraints(workspace, uv)
    text = first.read_text()

    assert built_constraints(workspace, uv) == first == tmp_path / "root/build/wheels/constraints.txt"
    assert first.read_text() == text
    assert calls(uv) == 1


@pytest.mark.parametrize("name", [f"{LOWER}/frames.py", "packages/en-lower/LICENSE", "pyproject.toml"])
def test_wheels_are_built_again_when_a_source_has_changed(tmp_path: Path, uv: Uv, name: str) -> None:
    workspace = fake_workspace(tmp_path / "root")
    first = built_constraints(workspace, uv).read_text()
    with (tmp_path / "root" / name).open("a") as source:
        source.write("# changed\n")

    assert built_constraints(workspace, uv).read_text() != first
    assert calls(uv) == 2


def test_dist_is_left_alone(tmp_path: Path, uv: Uv) -> None:
    built_constraints(fake_workspace(tmp_path / "root", {"dist/en_lower-1.1.0.whl": ""}), uv)

    assert (tmp_path / "root/dist/en_lower-1.1.0.whl").exists()


def test_wheels_that_could_not_be_built_are_not_called_built(tmp_path: Path, uv: Uv) -> None:
    workspace = fake_workspace(tmp_path / "root")
    uv.program.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(WorkspaceError, match="status 1"):
        built_constraints(workspace, uv)
    uv.program.write_text(_UV)

    built_constraints(workspace, uv)

    assert calls(uv) == 1
