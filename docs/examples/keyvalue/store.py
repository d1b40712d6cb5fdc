# SPDX-License-Identifier: Apache-2.0
"""What the server remembers: values, and its answers for a while. Both have a bound."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Final

from messages import Answer, Failure

SWEEP_SECONDS: Final = 0.1
"""Between two looks at all keys, when there are too many: 10,000 take a millisecond."""


class StoreFullError(Exception):
    """There are as many keys as there may be."""


@dataclass(frozen=True)
class _Value:
    text: str
    expires: float


class Store:
    """Texts under keys, until they expire.

    Args:
        capacity: keys that there may be.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: dict[str, _Value] = {}
        self._next_sweep = -math.inf

    def get(self, key: str) -> str | None:
        value = self._values.get(key)
        return value.text if value is not None and time.monotonic() < value.expires else None

    def set(self, key: str, text: str, seconds: float | None) -> None:
        """Stores a text for some seconds, or for ever.

        Raises:
            StoreFullError: the key is new, and there is no place.
        """
        now = time.monotonic()
        if key not in self._values and not self._has_place(now):
            raise StoreFullError
        self._values[key] = _Value(text, math.inf if seconds is None else now + seconds)

    def delete(self, key: str) -> None:
        self._values.pop(key, None)

    def _has_place(self, now: float) -> bool:
        # What has expired is thrown away only now, and not by a search for each request.
        if len(self._values) == self._capacity and now >= self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            self._values = {
                key: value for key, value in self._values.items() if now < value.expires
            }
        return len(self._values) < self._capacity


class GivenAnswers:
    """The answers to changes, by the ids of the requests.

    Args:
        capacity: answers that are kept at most.
        seconds: how long each of them is kept.
    """

    def __init__(self, capacity: int, seconds: float) -> None:
        self._capacity = capacity
        self._seconds = seconds
        self._answers: dict[str, tuple[float, Answer | Failure]] = {}  # the oldest comes first

    def find(self, number: str) -> Answer | Failure | None:
        _, answer = self._answers.get(number, (0.0, None))
        return answer

    def keep(self, answer: Answer | Failure) -> None:
        self._answers[answer.id] = (time.monotonic() + self._seconds, answer)

    def are_full(self) -> bool:
        """Tells whether nothing can be kept now, after forgetting what is old."""
        now = time.monotonic()
        while self._answers:
            oldest = next(iter(self._answers))
            expires, _ = self._answers[oldest]
            if now < expires:
                break
            del self._answers[oldest]
        return len(self._answers) == self._capacity
