# SPDX-License-Identifier: Apache-2.0
"""What git knows about the workspace."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from .errors import WorkspaceError
from .processes import Completed, capture

__all__ = ("Repository",)

# A machine of the CI has checked out a tag, and knows the branch as one of the remote only.
_MAIN = ("refs/heads/main", "refs/remotes/origin/main")


class Repository:
    """The repository that a folder belongs to; it is only asked, never changed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @cached_property
    def head(self) -> str:
        return self._ask("rev-parse", "--verify", "HEAD").strip()

    @cached_property
    def tags(self) -> dict[str, str]:
        """The commits of all tags."""
        # The second hash is there for an annotated tag, whose first one is not that of a commit.
        lines = self._ask("for-each-ref", "--format=%(refname:strip=2) %(objectname) %(*objectname)", "refs/tags")
        return {words[0]: words[-1] for words in map(str.split, lines.splitlines())}

    def find_main(self) -> list[str]:
        """Returns the references under which the main branch is known here."""
        return [name for name in _MAIN if self._run("rev-parse", "--verify", "--quiet", name).returncode == 0]

    def is_in(self, branch: str) -> bool:
        """Whether the checked-out commit is one of a branch."""
        return self._run("merge-base", "--is-ancestor", "HEAD", branch).returncode == 0

    def changes(self, paths: Iterable[Path] = ()) -> list[str]:
        """Returns the files, of all or of some, that are not as they were committed."""
        lines = self._ask("status", "--porcelain", "--no-renames", "--untracked-files=all", "--", *paths)
        return [line[3:] for line in lines.splitlines()]

    def read(self, commit: str, path: str) -> str | None:
        """Returns what a file, named from the folder on, said in a commit; None if it was not
        there.
        """
        result = self._run("show", f"{commit}:./{path}")
        return None if result.returncode else result.stdout

    def _ask(self, *words: str | Path) -> str:
        result = self._run(*words)
        if result.returncode:
            raise WorkspaceError(
                f"git does not answer `git {words[0]}`: {result.stderr.strip()}",
                "run this in a clone with at least one commit, with git on PATH.",
            )
        return result.stdout

    def _run(self, *words: str | Path) -> Completed:
        return capture(["git", *words], cwd=self._root)
