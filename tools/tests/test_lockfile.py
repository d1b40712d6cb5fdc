# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from wslib.lockfile import check_lock, find_registries, lock, neutralise
from wslib.uvtool import Uv, find_uv
from wslib.workspace import Workspace

from .fakes import fake_workspace, manifest_of

ROOT = Path(__file__).parents[2]

_PACKAGE = """
[[package]]
name = "anyio"
version = "4.16.0"
source = {{ registry = "{registry}" }}
sdist = {{ url = "{files}/a1/98/anyio-4.16.0.tar.gz", hash = "sha256:59bb"{tail} }}
wheels = [
    {{ url = "{files}/a9/16/anyio-4.16.0-py3-none-any.whl", hash = "sha256:c66a"{tail} }},
]

[[package]]
name = "en-lower"
version = "1.2.0"
source = {{ editable = "packages/en-lower" }}
"""

PUBLIC = _PACKAGE.format(
    registry="https://index.example.org/simple",
    files="https://files.example.org/packages",
    tail=', size = 118, upload-time = "2026-11-01T11:20:07Z"',
)
MIRROR = _PACKAGE.format(registry="http://user:secret@mirror.local:8080/simple", files="../../files", tail="")
NEUTRAL = """
[[package]]
name = "anyio"
version = "4.16.0"
source = { registry = "https://registry.invalid/simple" }
sdist = { url = "https://registry.invalid/anyio-4.16.0.tar.gz", hash = "sha256:59bb" }
wheels = [
    { url = "https://registry.invalid/anyio-4.16.0-py3-none-any.whl", hash = "sha256:c66a" },
]

[[package]]
name = "en-lower"
version = "1.2.0"
source = { editable = "packages/en-lower" }
"""


def test_lock_is_the_same_whatever_registry_it_was_made_with() -> None:
    assert neutralise(PUBLIC) == neutralise(MIRROR) == NEUTRAL


def test_neutral_lock_stays_as_it_is() -> None:
    assert neutralise(NEUTRAL) == NEUTRAL


def test_local_files_of_an_index_lose_their_folder() -> None:
    line = 'wheels = [{ path = "/srv/wheels/six-1.16.0-py2.py3-none-any.whl", hash = "sha256:8abb" }]'

    assert neutralise(line) == (
        'wheels = [{ url = "https://registry.invalid/six-1.16.0-py2.py3-none-any.whl", hash = "sha256:8abb" }]'
    )


def test_registries_are_found_without_their_credentials() -> None:
    assert find_registries(PUBLIC) == {"index.example.org", "files.example.org"}
    assert find_registries(MIRROR) == {"mirror.local", "../../files/a1/98", "../../files/a9/16"}
    assert find_registries(NEUTRAL) == set()


def test_committed_lock_is_neutral() -> None:
    assert find_registries((ROOT / "uv.lock").read_text()) == set()


def without_third_parties(root: Path) -> Workspace:
    """A workspace that is locked without asking an index."""
    lower = manifest_of("en-lower").replace('"uvloop>=0.21"', "").replace('"pytest>=8"', "")
    upper = lower.replace("en-lower", "en-upper").replace("dependencies = []", 'dependencies = ["en-lower>=1.2.0,<2"]')
    return fake_workspace(root, {"packages/en-lower/pyproject.toml": lower, "packages/en-upper/pyproject.toml": upper})


def test_lock_is_current_once_it_is_made_and_stale_when_a_manifest_moves_on(tmp_path: Path) -> None:
    workspace = without_third_parties(tmp_path)
    uv = Uv(find_uv(ROOT).program, tmp_path)

    assert lock(workspace, uv)
    assert not lock(workspace, uv)
    assert check_lock(workspace, uv) == []

    manifest = workspace.members["en-lower"].manifest
    manifest.write_text(manifest.read_text().replace("1.2.0", "1.3.0"))
    assert check_lock(Workspace(tmp_path), uv) == [("uv.lock", "is not what the manifests ask for")]


def test_lock_that_names_a_registry_is_found(tmp_path: Path) -> None:
    workspace = without_third_parties(tmp_path)
    workspace.lock.write_text(PUBLIC)

    [fault] = check_lock(workspace, Uv(tmp_path / "not-needed", tmp_path))

    assert fault == ("uv.lock", "is not registry-neutral: it names files.example.org")
