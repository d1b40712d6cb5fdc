# SPDX-License-Identifier: Apache-2.0
"""``python -m fuzz``: lists the targets, runs one under atheris, or reads one input again."""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import importlib
import resource
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from .target import MAX_LENGTH, Target

_SECONDS_FOR_AN_INPUT = 5
"""Thousands of times what one takes, so that a machine with other work to do is no hang."""

_MEBIBYTES = 256
"""Of the process. It begins with 60; buffers, limits and what bz2 needs for one block are all far
smaller."""

_NOT_TO_EXPLORE = [
    "easynetwork.protocol._base",
    "easynetwork.protocol.receivers._receivers",
    "easynetwork.protocol.testing",
    "easynetwork.serializers._validation",
]
"""What is done for every input, whatever it is. To watch it costs a fifth of the executions, and
shows nothing."""


def main() -> None:
    options = _parser().parse_args()
    if options.list:
        print(*_load_targets(), sep="\n")
    elif options.reproduce:
        _reproduce(_load_targets()[options.target], options.reproduce)
    else:
        _fuzz(options.target, options.folder, options.seconds, options.executions)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fuzz", description="Usually called by `./tools/ws fuzz`.")
    parser.add_argument("target", nargs="?", help="one of those that --list names")
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument("--reproduce", metavar="FILE", type=Path, help="read this input, without atheris")
    parser.add_argument("--folder", type=Path, help="for the corpus, and for inputs that break a rule")
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--executions", type=int, default=-1)
    return parser


def _load_targets(instrumented: AbstractContextManager[Any] | None = None) -> Mapping[str, Target]:
    with instrumented or nullcontext():
        targets: Mapping[str, Target] = importlib.import_module("fuzz.table").TARGETS
    return targets


def _reproduce(target: Target, file: Path) -> None:
    before = _peak_mebibytes()  # Linux counts what the parent had, too
    faulthandler.dump_traceback_later(_SECONDS_FOR_AN_INPUT, exit=True)  # a hang shows where it hangs
    target.run(file.read_bytes())
    faulthandler.cancel_dump_traceback_later()
    mebibytes = _peak_mebibytes()
    if mebibytes > max(_MEBIBYTES, before):
        sys.exit(f"{file} takes {mebibytes} MiB.")
    print(f"{file} breaks no rule.")


def _peak_mebibytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _fuzz(name: str, folder: Path, seconds: int, executions: int) -> None:
    try:
        atheris: Any = importlib.import_module("atheris")  # in an environment of its own, where no type checker looks
    except ModuleNotFoundError as exc:
        sys.exit(f"{exc}: it has wheels for Linux (x86_64) and Python 3.11 to 3.13 only")
    instrumented = atheris.instrument_imports(include=["easynetwork", "pickle"], exclude=_NOT_TO_EXPLORE)
    target = _load_targets(instrumented)[name]
    options = [
        *(f"-max_total_time={seconds}", f"-runs={executions}", f"-max_len={MAX_LENGTH}"),
        *(f"-timeout={_SECONDS_FOR_AN_INPUT}", f"-rss_limit_mb={_MEBIBYTES}"),
        *(f"-artifact_prefix={_made(folder / 'findings' / name)}/", "-print_final_stats=1"),
    ]
    if target.words:
        options.append(f"-dict={_write_dictionary(_made(folder / 'words') / name, target.words)}")
    # libFuzzer writes into the first folder only.
    corpora = [_made(folder / "corpus" / name), _write_seeds(_made(folder / "seeds" / name), target.seeds)]
    atheris.Setup([sys.argv[0], *options, *map(str, corpora)], target.run)
    atheris.Fuzz()


def _write_dictionary(path: Path, words: Sequence[bytes]) -> Path:
    quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in words)
    path.write_text("".join(f'"{word}"\n' for word in quoted))
    return path


def _write_seeds(folder: Path, seeds: Iterable[bytes]) -> Path:
    for old in folder.iterdir():
        old.unlink()
    for seed in seeds:
        (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    return folder


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
