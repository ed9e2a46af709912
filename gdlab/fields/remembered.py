"""Answers about objects that never change, such as the settings that many runs share."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple
from weakref import WeakKeyDictionary

Owner = TypeVar("Owner")
Further = TypeVarTuple("Further")
T = TypeVar("T")


def remembered(function: Callable[[Owner, *Further], T]) -> Callable[[Owner, *Further], T]:
    """Compute a function of an object once for each object, as long as the object lives.

    Args:
        function: of an object that is equal to no other and never changes, and of further
            arguments that can be hashed; nobody may change what it returns.
    """
    known: WeakKeyDictionary[Owner, dict[Any, T]] = WeakKeyDictionary()

    @functools.wraps(function)
    def answer(owner: Owner, *further: *Further) -> T:
        answers = known.setdefault(owner, {})
        if further not in answers:
            answers[further] = function(owner, *further)
        return answers[further]

    return answer
