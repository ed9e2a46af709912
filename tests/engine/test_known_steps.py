"""Compiled steps that serve the next batch, too."""

from dataclasses import replace

import pytest
import torch
from helpers.batches import assert_same_bits, finish, make_batch

from gdlab.engine.batch import Batch
from gdlab.engine.compiler.program import Uncompilable
from gdlab.engine.known_steps import KnownSteps
from gdlab.losses import Quadratic, Rosenbrock
from gdlab.losses.function import Function
from gdlab.optimizers import SGD, Adam

RATES = [1e-4, 1e-3, 2e-3]
FIRST = make_batch(Rosenbrock(), SGD(momentum=0.5), RATES)
NEXT: dict[str, tuple[Batch, bool]] = {
    "equal": (FIRST, True),
    "other numbers": (make_batch(Rosenbrock(b=7), SGD(momentum=0.9), RATES, steps=50), True),
    "numbers that differ": (
        make_batch(Rosenbrock(), SGD(momentum=torch.tensor([0.0, 0.5, 0.9])), RATES),
        True,
    ),
    "numbers that are 0": (make_batch(Rosenbrock(), SGD(), RATES), False),
    "noise": (make_batch(Rosenbrock(), SGD(momentum=0.5), RATES, noise=[0.0, 0.0, 0.1]), False),
    "more rows at once": (make_batch(Rosenbrock(), SGD(momentum=0.5), RATES * 4), False),
    "another structure": (make_batch(Quadratic(), Adam(), RATES), False),
}


@pytest.mark.parametrize("name", NEXT)
def test_steps_serve_batches_of_the_same_structure_only(name: str) -> None:
    batch, is_same = NEXT[name]
    known = KnownSteps()
    for each in (FIRST, batch):
        structure = type(each.loss), type(each.optimizer)
        before = known.last
        found, step = known.compile(replace(each, mode="compiled"), structure)
        assert step is known.last
        ended = finish(found, step=step)  # also leaves a state behind
        alone = finish(replace(each, mode="compiled"))
        for ours, theirs in zip(ended, alone, strict=True):
            assert_same_bits(ours, theirs)
    assert (known.last is before) == is_same


def test_what_has_no_compiled_form_leaves_nothing_behind() -> None:
    known = KnownSteps()
    known.compile(replace(FIRST, mode="compiled"), ())
    branching = Function(lambda x: x.sum() if x[0].item() > 0 else x[1], start=(1.0, 2.0))
    with pytest.raises(Uncompilable):
        known.compile(make_batch(branching, lr=RATES), ("branching",))
    assert known.last is None
