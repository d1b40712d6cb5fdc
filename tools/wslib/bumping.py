# SPDX-License-Identifier: Apache-2.0
"""``ws bump``: a new version of one distribution, and what follows from it in the other files.

Everything is made in a copy and comes back as a whole: towncrier, uv or a manifest that cannot be
edited may refuse in the middle, and then the workspace is as it was.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from . import lockfile, manifests
from .environments import Environment
from .errors import WorkspaceError
from .manifest_text import with_bounds, with_version
from .processes import capture
from .repository import Repository
from .uvtool import Uv
from .versions import PARTS, bounds_of, next_version
from .workspace import Member, Workspace

__all__ = ("FRAGMENTS", "bump", "find_fragments", "replace_files")

FRAGMENTS = "changelog.d"
_CHANGELOG = "CHANGELOG.md"
_KEEPER = ".gitignore"  # git has no empty folders, and the next change needs this one


def bump(workspace: Workspace, uv: Uv, environment: Environment, name: str, part: str) -> list[str]:
    """Writes the next version of a distribution, and returns lines that say what changed.

    That is its manifest, the bounds of all siblings that require it, ``uv.lock``, and its
    changelog, which takes the fragments in. Nothing is committed.

    Raises:
        WorkspaceError: the files to change have changes already, there is nothing to tell in the
            changelog, or a step failed. Nothing has changed then.
    """
    member = workspace.find_member(name)
    version = _next_version(member, part)
    fragments = find_fragments(member)
    _refuse_changed_files(workspace, member)
    if not fragments:
        raise WorkspaceError(
            f"{name} has no fragment in {FRAGMENTS}/, so its changelog would not say what {version} is for.",
            f"write one for each change that users notice; if there is none but in its requirements, they notice that: "
            f"{workspace.relative(member.folder)}/{FRAGMENTS}/+requirements.changed.md.",
        )
    with tempfile.TemporaryDirectory(prefix="ws-bump-") as folder:
        copy = _copy(workspace, member, Path(folder))
        _edit_manifests(copy, name, version)
        _write_changelog(copy.find_member(name), environment, version)
        _lock(copy, uv, member, version)
        requiring = [sibling for sibling in workspace.members if _differs(workspace, copy, sibling) and sibling != name]
        replace_files(_differences(workspace, copy, member))
    return _summary(member, version, fragments, requiring)


def find_fragments(member: Member) -> list[Path]:
    """Returns what waits for the changelog's next section."""
    return sorted(path for path in (member.folder / FRAGMENTS).glob("*") if path.name != _KEEPER)


def replace_files(texts: Mapping[Path, str | None]) -> None:
    """Writes all files, or deletes one where the text is None; after an error, all are as they
    were.

    Raises:
        WorkspaceError: the operating system refused one.
    """
    with ExitStack() as undo:
        for path, text in texts.items():
            undo.callback(_replace, path, path.read_text(encoding="utf-8") if path.exists() else None)
            try:
                _replace(path, text)
            except OSError as exc:
                raise WorkspaceError(
                    f"{path} could not be written: {exc.strerror}. All files are as they were.",
                    "see to the permissions and the space on the disk, then run it again.",
                ) from exc
        undo.pop_all()


def _replace(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink(missing_ok=True)
    else:
        path.write_text(text, encoding="utf-8")


def _next_version(member: Member, part: str) -> str:
    if part not in PARTS:
        raise WorkspaceError(f"{part!r} is no part of a version.", f"use one of: {', '.join(PARTS)}.")
    version = next_version(member.version or "", part)
    if version is None:
        raise WorkspaceError(
            f"The version of {member.name} is {member.version}, and bump knows releases of three numbers only.",
            f"write the next version into {member.manifest.name} by hand, as is done for pre-releases.",
        )
    return version


def _refuse_changed_files(workspace: Workspace, member: Member) -> None:
    """What is not committed could be neither told from the bump's own changes nor restored by
    git.
    """
    written = [*workspace.manifests, workspace.lock, member.folder / _CHANGELOG, member.folder / FRAGMENTS]
    if changed := Repository(workspace.root).changes(written):
        raise WorkspaceError(
            f"There are changes that are not committed: {', '.join(changed)}.",
            "commit them, so that the bump is a commit of its own.",
        )


def _copy(workspace: Workspace, member: Member, folder: Path) -> Workspace:
    """Copies what a bump reads and writes."""
    for path in _touched(workspace, member):
        target = folder / path.relative_to(workspace.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    return Workspace(folder)


def _touched(workspace: Workspace, member: Member) -> list[Path]:
    paths = [*workspace.manifests, workspace.lock, member.folder / _CHANGELOG, member.folder / FRAGMENTS / _KEEPER]
    return [path for path in (*paths, *find_fragments(member)) if path.is_file()]


def _edit_manifests(copy: Workspace, name: str, version: str) -> None:
    for sibling in copy.members.values():
        text = sibling.manifest.read_text(encoding="utf-8")
        edited = with_version(text, version) if sibling.name == name else with_bounds(text, name, bounds_of(version))
        sibling.manifest.write_text(edited, encoding="utf-8")
    if faults := manifests.check_versions(Workspace(copy.root)):
        raise WorkspaceError(
            "The requirements between the packages would not be in order:\n" + "\n".join(map(str, faults)),
            "repair the bounds it names and commit that, then bump.",
        )


def _write_changelog(member: Member, environment: Environment, version: str) -> None:
    """Runs towncrier, outside of any repository: in one, it would stage what it does."""
    words = ["build", "--yes", "--version", version]
    result = capture([environment.bin / "towncrier", *words], cwd=member.folder)
    if result.returncode:
        raise WorkspaceError(
            f"towncrier could not write the changelog of {member.name}:\n{(result.stdout + result.stderr).strip()}",
            f"look at [tool.towncrier] in its manifest, at its {_CHANGELOG} and at its {FRAGMENTS}/.",
        )
    if leftover := find_fragments(member):
        raise WorkspaceError(
            f"towncrier does not take {', '.join(path.name for path in leftover)} for a fragment of {member.name}.",
            "name it `<issue>.<type>.md` or `+<word>.<type>.md`; CONTRIBUTING.md has the types.",
        )
    keeper = member.folder / FRAGMENTS / _KEEPER
    if not keeper.exists():
        keeper.parent.mkdir(exist_ok=True)
        keeper.write_text(f"!{_KEEPER}\n")


def _lock(copy: Workspace, uv: Uv, member: Member, version: str) -> None:
    before = copy.lock.read_text(encoding="utf-8")
    lockfile.lock(copy, uv)
    entry = 'name = "{}"\nversion = "{}"\n'
    wanted = before.replace(entry.format(member.name, member.version), entry.format(member.name, version))
    if copy.lock.read_text(encoding="utf-8") != wanted:
        raise WorkspaceError(
            "uv.lock would change in more than the version: it is not what the manifests ask for now.",
            "run `./tools/ws lock` and commit uv.lock, then bump.",
        )


def _differs(workspace: Workspace, copy: Workspace, name: str) -> bool:
    return workspace.members[name].manifest.read_bytes() != copy.members[name].manifest.read_bytes()


def _differences(workspace: Workspace, copy: Workspace, member: Member) -> dict[Path, str | None]:
    """Returns the new texts of the files that are different in the copy; None for what is not there
    any more.
    """
    texts: dict[Path, str | None] = dict.fromkeys(_touched(workspace, member))
    for path in _touched(copy, copy.members[member.name]):
        original = workspace.root / path.relative_to(copy.root)
        texts[original] = path.read_text(encoding="utf-8")
    return {path: text for path, text in texts.items() if not path.exists() or text != path.read_text(encoding="utf-8")}


def _summary(member: Member, version: str, fragments: list[Path], requiring: list[str]) -> list[str]:
    lines = [
        f"{member.name}: {member.version} -> {version}",
        f"{_CHANGELOG}: section {version}, of {len(fragments)} fragment(s)",
        "uv.lock: the new version",
    ]
    lines += [f"{sibling}: asks for {member.name}{bounds_of(version)}" for sibling in requiring]
    if requiring:
        lines.append(_consequence(member, version, requiring))
    tag = f"{member.name}/{version}"
    lines.append(f"Next: commit this, bring it to main, `./tools/ws release-check {tag}`, then tag it {tag}.")
    return lines


def _consequence(member: Member, version: str, requiring: list[str]) -> str:
    """Says what the new bounds mean for the siblings, whose versions a bump leaves alone."""
    names = ", ".join(requiring)
    if version.partition(".")[0] != (member.version or "").partition(".")[0]:
        return f"Needs a release as well, because its released versions refuse {member.name} {version}: {names}."
    return (
        f"Has new bounds in its next release, after that of {member.name}; released versions accept {version}: {names}."
    )
