"""Tests of the dict that forgets entries: which ones, how many, and in threads, a signal handler and a forked child."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from threading import Thread

import pytest

from resilience._core.base.bounded_dict import BoundedDict


class Value:
    """Something that can be referred to."""


def test_the_oldest_entry_is_forgotten() -> None:
    """Both ways to add an entry make room; a new value for a known key needs none."""
    d: BoundedDict[str, int] = BoundedDict(2)
    d["a"], d["b"] = 1, 2
    d["a"] = 3
    assert (d.setdefault("b", 4), d) == (2, {"a": 3, "b": 2})
    d["c"] = 5
    assert d == {"b": 2, "c": 5}
    assert (d.setdefault("d", 6), d) == (6, {"c": 5, "d": 6})


def spared(limit: int, *keys: int) -> BoundedDict[int, Value]:
    """Return a full dict that can spare these keys."""
    d: BoundedDict[int, Value] = BoundedDict(limit, lambda: keys)
    for key in range(limit):
        d[key] = Value()
    return d


def test_only_what_can_be_spared_is_forgotten() -> None:
    """Where nothing can be spared, the limit is exceeded."""
    d = spared(3, 1, 7)
    d[3] = Value()
    assert list(d) == [0, 2, 3]
    d[4] = Value()
    d[5] = Value()
    assert list(d) == [0, 2, 3, 4, 5]


def test_a_value_in_use_is_kept() -> None:
    """An entry whose value something else refers to is found again later."""
    d = spared(3, 0, 1)
    used = d[0]
    d[3] = Value()
    assert list(d) == [0, 2, 3]
    assert d[0] is used


def test_an_eighth_is_forgotten_at_once() -> None:
    """What can be spared is looked for after each eighth of the limit, and not for each new entry."""
    searches: list[int] = []

    def spare() -> list[int]:
        searches.append(len(d))
        return [key for key in d if key % 2]

    d: BoundedDict[int, Value] = BoundedDict(80, spare)
    for key in range(80 + 4 * 10):
        d[key] = Value()
    assert searches == [80, 80, 80, 80]
    assert sum(key % 2 == 0 for key in d) == 60  # none of these was forgotten
    d = BoundedDict(80, lambda: searches.append(len(d)) or ())  # type: ignore[func-returns-value]
    for key in range(80 + 4 * 10):
        d[key] = Value()
    assert searches[4:] == [80, 90, 100, 110]


def test_threads_that_add_at_the_same_moment() -> None:
    """No thread gets an error, and the limit holds but for one entry of each thread."""
    d: BoundedDict[tuple[int, int], int] = BoundedDict(50)

    def add(number: int) -> None:
        for index in range(2000):
            d[number, index] = index
            d.setdefault((number, -index), index)

    threads = [Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(d) <= 50 + 8
    d[-1, 0] = 0
    assert len(d) == 50


def test_a_change_while_the_oldest_is_looked_up() -> None:
    """A signal handler that removes or adds entries between the two steps of the search does no harm."""

    class Interrupted(BoundedDict[str, int]):
        handlers: tuple[Callable[[], object], ...] = ()

        def __iter__(self) -> Iterator[str]:
            keys = super().__iter__()
            handlers, self.handlers = self.handlers, ()
            for handler in handlers:
                handler()
            return keys

    d = Interrupted(2)
    d["a"], d["b"] = 1, 2
    d.handlers = (lambda: d.setdefault("c", 3),)
    d["d"] = 4
    assert d.copy() == {"c": 3, "d": 4}
    d.handlers = (d.clear,)
    d["e"] = 5
    assert d.copy() == {"e": 5}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child() -> None:
    """The child has a copy that it can change, and the parent's stays."""
    d: BoundedDict[str, int] = BoundedDict(2)
    d["a"], d["b"] = 1, 2
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        d["c"] = 3
        os._exit(0 if d == {"b": 2, "c": 3} else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert d == {"a": 1, "b": 2}
