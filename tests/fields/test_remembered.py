"""Answers that are computed once for each object."""

import gc
from dataclasses import dataclass

from gdlab.fields.remembered import remembered


@dataclass(frozen=True, eq=False)
class Owner:
    name: str


def test_it_is_asked_once_for_each_object_and_each_further_argument():
    asked: list[tuple[Owner, str]] = []

    @remembered
    def greet(owner: Owner, word: str) -> str:
        asked.append((owner, word))
        return f"{word}, {owner.name}"

    one, like_it = Owner("Ada"), Owner("Ada")
    for _ in range(2):
        assert [greet(one, "hello"), greet(one, "bye"), greet(like_it, "hello")] == [
            "hello, Ada",
            "bye, Ada",
            "hello, Ada",
        ]
    assert asked == [(one, "hello"), (one, "bye"), (like_it, "hello")]


def test_no_object_is_kept_alive():
    alive: list[int] = []

    @remembered
    def count(owner: Owner) -> int:
        return len(owner.name)

    for _ in range(3):
        owner = Owner("Ada")
        assert count(owner) == 3
        del owner
        gc.collect()
        alive.append(sum(isinstance(thing, Owner) for thing in gc.get_objects()))
    assert alive[0] == alive[-1]
