"""Compiled steps that serve one batch after the other.

Shapes: R runs.
"""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch

from gdlab.engine.batch import Batch
from gdlab.engine.compiled import compared_rows
from gdlab.engine.compiler.program import Uncompilable
from gdlab.engine.loop import CompiledSteps, compile_steps, with_step
from gdlab.engine.rows import Rows
from gdlab.fields.declared import Number, flatten, map_numbers


class KnownSteps:
    """Compiles steps; those of the last batch serve the next one of the same structure.

    To trace a step takes longer than to take hundreds of steps of thousands of runs. The steps have
    a state, so that only one batch at a time can use them.

    Attributes:
        last: the steps of the last batch; None if there are none.
    """

    def __init__(self) -> None:
        self.last: CompiledSteps | None = None
        self._structure: tuple[Any, ...] = ()
        self._by_row = False

    def compile(self, batch: Batch, structure: tuple[Any, ...]) -> tuple[Batch, CompiledSteps]:
        """Compile the step of a batch; return it as it then is, and the steps.

        Args:
            batch: the batch.
            structure: equal for batches that differ in numbers only.

        Raises:
            Uncompilable: it cannot be compiled; the message says why.
        """
        structure = *structure, *_pattern_of(batch)
        if self.last is not None and structure == self._structure:
            known = replace(batch, mode="compiled", by_row=self._by_row)
            with suppress(Uncompilable):  # other numbers may take another branch
                self.last.compare_with_torch(Rows.of(known, compared_rows(known)))
                return with_step(known, self.last), self.last
        self.last = None
        batch, self.last = compile_steps(batch)
        self._structure, self._by_row = structure, batch.by_row
        return batch, self.last

    def forget(self) -> None:
        """Give up the steps, and the memory of a batch that did not end."""
        self.last = None


def _pattern_of(batch: Batch) -> tuple[Any, ...]:
    """Return what the numbers of a batch change in its steps: those that are 0 are left out."""
    shape = map_numbers(batch.optimizer, lambda number: float(_is_used(number)))
    used = repr(flatten(shape)), _is_used(batch.noise), batch.dof is None
    return *used, batch.start.dtype, batch.lanes


def _is_used(number: Number) -> bool:
    """Whether a number or a column (R,) is not 0 in some run."""
    return bool((torch.as_tensor(number) != 0).any())
