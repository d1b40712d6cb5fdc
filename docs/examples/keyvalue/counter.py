# SPDX-License-Identifier: Apache-2.0
"""Counts in the key-value store, beside others who do: ``python counter.py visits``."""

from __future__ import annotations

import argparse

from client import KeyValueClient


def count(store: KeyValueClient, key: str) -> int:
    """Adds one, and returns the sum.

    Raises:
        ValueError: what is stored is no number.
    """
    while True:
        before = store.get(key)
        after = int(before or 0) + 1
        if store.compare_and_set(key, before, str(after)):
            return after


def main() -> None:
    parser = argparse.ArgumentParser(description="Counts in the key-value store.")
    parser.add_argument("key")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9200)
    parser.add_argument("--times", type=int, default=1)
    arguments = parser.parse_args()
    with KeyValueClient((arguments.host, arguments.port), seconds=10.0) as store:
        for _ in range(arguments.times):
            print(count(store, arguments.key))


if __name__ == "__main__":
    main()
