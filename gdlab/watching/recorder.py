"""What a watch sees at each step of a loop, and the rows that it makes of it."""

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from gdlab.engine.metrics import SHARPNESS
from gdlab.errors import SettingError, describe_error
from gdlab.fields.formatting import describe_type, format_value
from gdlab.optimizers.base import Optimizer
from gdlab.watching.hooks import StepHook
from gdlab.watching.limits import limits_of
from gdlab.watching.points import Points
from gdlab.watching.records import Records, Row
from gdlab.watching.sharpness import SharpnessMeter

_READ_EVERY = 1.0  # seconds


class LoopRecorder:
    """Makes a row of each step.

    What a step leaves is seen by hooks before the optimizers change it: the weights, the gradients,
    the learning rates. So schedulers and `zero_grad` may come before the call that ends the step.

    Args:
        optimizers: of the loop.
        known: the first of them, as gdlab knows it.
        points: keeps the path.
        write: receives the columns (n,) of new rows by name, about once a second.

    Attributes:
        records: the rows.
        skipped: steps that no optimizer took.
    """

    def __init__(
        self,
        optimizers: Sequence[torch.optim.Optimizer],
        known: Optimizer,
        points: Points,
        write: Callable[[Mapping[str, np.ndarray]], None],
    ) -> None:
        self.records, self.points, self.skipped = Records(), points, 0
        self._known, self._write = known, write
        self._meter: SharpnessMeter | None = None
        self._every = 0
        self._sharpness: float | None = None
        self._is_open = False
        self._read_at = time.monotonic()
        self._hooks = [StepHook(optimizer, self._open) for optimizer in optimizers]

    def measure(self, meter: SharpnessMeter, every: int) -> None:
        """Measure the sharpness at steps 0, every, 2·every, … ."""
        self._meter, self._every = meter, every

    @property
    def has_unrecorded_step(self) -> bool:
        """Whether an optimizer took a step that no row has."""
        return self._is_open

    def stop(self) -> None:
        """Take the hooks away."""
        for hook in self._hooks:
            hook.remove()

    def _open(self) -> None:
        """See the weights that a step is about to leave."""
        if self._is_open:
            return
        self._is_open, step = True, self.records.count
        self.points.add(step)
        if self._meter is not None and step % self._every == 0:
            self._sharpness = self._measure(self._meter, step)

    def _measure(self, meter: SharpnessMeter, step: int) -> float | None:
        """Return the sharpness; a failure after the first step ends the measurements only."""
        try:
            return meter.measure()
        except Exception as error:
            if step == 0:
                raise
            self._meter = None
            what = f"the sharpness is not measured from step {step} on ({describe_error(error)})"
            warnings.warn(what, stacklevel=2)
            return None

    def end_step(self, loss: Tensor | float, numbers: dict[str, float]) -> None:
        """Make a row of the step that ends here."""
        if not self._is_open:
            self._see_skipped()
        self._open()
        rates, norms = [], []
        for hook in self._hooks:
            if not hook.is_open:
                hook.look()
            hook.is_open = False
            rates += hook.rates
            norms += [] if hook.norm is None else [hook.norm]
        seen = dict(zip(_rate_names(len(rates)), rates, strict=True))
        if self._sharpness is not None:
            seen |= {SHARPNESS: self._sharpness, **limits_of(self._known, rates)}
        row = Row(self.records.count, _number(loss), norms, seen | numbers if numbers else seen)
        is_full = self.records.add(row)
        self._is_open, self._sharpness = False, None
        if is_full or time.monotonic() - self._read_at > _READ_EVERY:
            self.read()

    def _see_skipped(self) -> None:
        """Count a step that no optimizer took.

        Raises:
            SettingError: it is the first, and its gradient is finite: the calls are in wrong order.
        """
        for hook in self._hooks:
            hook.look()
        norms = [hook.norm for hook in self._hooks if hook.norm is not None]
        if self.records.count == 0 and all(map(math.isfinite, norms)):
            raise SettingError(
                "watch.step(loss): comes after optimizer.step(), which was not called yet"
            )
        self.skipped += 1

    def read(self) -> None:
        """Read the rows that wait, and write them."""
        columns = self.records.read()
        self._read_at = time.monotonic()
        if columns:
            self._write(columns)


@lru_cache
def _rate_names(groups: int) -> tuple[str, ...]:
    """Return what the learning rates of the groups of parameters are called."""
    return ("lr", *(f"lr_{k}" for k in range(1, groups)))


def _number(loss: Tensor | float) -> Tensor | float:
    """Return a loss as a number, or as a copy on its accelerator, for which no step waits.

    Raises:
        SettingError: it is not one number.
    """
    if isinstance(loss, Tensor):
        if loss.numel() != 1 or loss.is_complex():
            shape = format_value(list(loss.shape))
            raise SettingError(f"loss: must be one number, was a tensor of shape {shape}")
        return loss.item() if loss.is_cpu else loss.detach().clone()
    if isinstance(loss, bool) or not isinstance(loss, int | float | np.number):
        raise SettingError(f"loss: must be one number, was {describe_type(loss)}")
    return float(loss)
