# SPDX-License-Identifier: Apache-2.0
"""Values expire, memory has a bound, and nobody who waits is forgotten. No network is needed."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack

import anyio
import pytest

from resp import RespError
from store import ITEM_OVERHEAD, KEY_OVERHEAD, LIST_OVERHEAD, Store
from waiting import Waiters


class Clock:
    now = 0.0
    step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store:
    """With room for ten strings of 9 bytes, under keys of one."""
    return Store(10 * (KEY_OVERHEAD + 10), clock)


def fill(store: Store) -> int:
    """Stores strings until there is no place; how many there are."""
    count = 0
    with pytest.raises(RespError, match="OOM "):
        while True:
            store.set(b"%c" % count, b"x" * 9)
            count += 1
    return count


def test_a_value_is_there_until_it_expires(store: Store, clock: Clock) -> None:
    store.set(b"a", b"1", 10)
    clock.now = 9.9
    assert store.get(b"a") == b"1"
    clock.now = 10
    assert store.get(b"a") is None
    assert store.remaining(b"a") is None


def test_to_set_a_value_takes_its_end_away_and_to_increment_it_does_not(store: Store) -> None:
    store.set(b"a", b"1", 10)
    store.increment(b"a")
    assert store.remaining(b"a") == 10
    store.set(b"a", b"1")
    assert store.remaining(b"a") == math.inf


def test_a_key_with_no_time_left_is_gone(store: Store) -> None:
    store.set(b"a", b"1")
    assert store.expire(b"a", 0)
    assert not store.expire(b"a", 1)


def test_memory_has_a_bound_and_what_is_deleted_gives_it_back(store: Store) -> None:
    for _ in range(2):
        assert fill(store) == 10
        store.set(b"\0", b"y" * 9)
        for count in range(10):
            assert store.delete(b"%c" % count)


def test_a_value_that_does_not_fit_leaves_the_one_before(store: Store) -> None:
    fill(store)
    with pytest.raises(RespError):
        store.set(b"\0", b"x" * 10)

    assert store.get(b"\0") == b"x" * 9


def test_what_has_expired_gives_its_place_to_others(store: Store, clock: Clock) -> None:
    for key in (b"a", b"b", b"c"):
        store.set(key, b"x" * 9, 10)
    clock.now = 10

    assert fill(store) == 10


def test_a_full_store_refuses_as_fast_as_it_stores(clock: Clock) -> None:
    store = Store(100_000 * KEY_OVERHEAD, clock)
    with pytest.raises(RespError):
        for number in range(100_000):
            store.set(b"%d" % number, b"", 10 + number % 2)
    start = time.process_time()
    for _ in range(1000):
        with pytest.raises(RespError):
            store.set(b"new", b"x" * 1000)
    assert time.process_time() - start < 2

    clock.now = 10  # every other key has expired, and among a hundred are enough of them
    store.set(b"new", b"x" * 1000)


def test_a_key_that_expires_while_it_grows_is_not_counted_twice(store: Store, clock: Clock) -> None:
    fill(store)
    store.expire(b"\0", 2)
    clock.step = 1
    with pytest.raises(RespError):
        store.set(b"\0", b"x" * 10)
    clock.step = 0
    assert store.get(b"\0") is None

    assert fill(store) == 10


def test_items_of_lists_give_their_place_back(clock: Clock) -> None:
    store = Store(KEY_OVERHEAD + LIST_OVERHEAD + 3 * ITEM_OVERHEAD + 4, clock)
    for _ in range(3):
        assert store.push(b"a", [b"1", b"2", b"3"]) == 3
        with pytest.raises(RespError):
            store.push(b"a", [b"4"])
        assert [store.pop(b"a") for _ in range(4)] == [b"3", b"2", b"1", None]


def test_the_greatest_number_is_not_incremented(store: Store) -> None:
    store.set(b"a", b"%d" % (2**63 - 1))
    with pytest.raises(RespError, match="overflow"):
        store.increment(b"a")


@pytest.mark.anyio
async def test_who_came_first_is_served_first(store: Store) -> None:
    waiters = Waiters(store)
    with waiters.wait([b"a", b"b"], 0) as first, waiters.wait([b"a"], 0) as second:
        store.push(b"a", [b"3", b"2", b"1"])
        waiters.serve(b"a")

    assert (first.found, second.found) == ((b"a", b"1"), (b"a", b"2"))
    assert store.pop(b"a") == b"3"
    store.push(b"b", [b"4"])
    waiters.serve(b"b")
    assert store.pop(b"b") == b"4"  # nobody waits any more


@pytest.mark.anyio
async def test_an_item_whose_client_has_left_is_for_the_next_one(store: Store) -> None:
    waiters = Waiters(store)
    with ExitStack() as stack:
        first = stack.enter_context(waiters.wait([b"a"], 0))
        with pytest.raises(GeneratorExit), waiters.wait([b"a"], 0) as second:
            store.push(b"a", [b"2", b"1"])
            waiters.serve(b"a")
            assert second.found == (b"a", b"2")
            raise GeneratorExit

    assert first.found == (b"a", b"1")
    assert store.pop(b"a") == b"2"


@pytest.mark.anyio
async def test_an_item_has_no_place_any_more_where_its_list_was(store: Store) -> None:
    with pytest.raises(GeneratorExit), Waiters(store).wait([b"a"], 0) as waiter:
        waiter.give(b"a", b"1")
        store.set(b"a", b"text")
        raise GeneratorExit

    assert store.get(b"a") == b"text"


@pytest.mark.anyio
async def test_waiting_ends_in_time(store: Store) -> None:
    with anyio.fail_after(10), Waiters(store).wait([b"a"], 0.01) as waiter:
        await anyio.sleep_forever()

    assert waiter.found is None
