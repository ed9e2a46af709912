"""The terminal of a sweep: one progress bar, and the best runs at its end."""

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gdlab.batch import Chunk
from gdlab.recording.tensorboard import MAX_POINTS
from gdlab.screen import PatientBar
from gdlab.status import Status
from gdlab.sweep_plan import Group, Plan
from gdlab.sweep_summary import Best, best

if TYPE_CHECKING:
    import pyarrow as pa

_FAILURES_SHOWN = 20
_TABLE_WIDTH = 200
# For the estimates of a dry run.
_CHUNK_BYTES, _STATE_COPIES, _NUMBER_BYTES, _ROW_BYTES, _EVENT_BYTES = 2**26, 16, 8, 256, 220


class SweepProgress:
    """Counts the runs that end, and moves a bar with them."""

    def __init__(self, bar: PatientBar) -> None:
        self._bar = bar
        self._ended = {Status.CONVERGED: 0, Status.DIVERGED: 0}
        self._done = 0

    def __call__(self, chunk: Chunk) -> None:
        """Count the runs that ended in a chunk."""
        alive = int((chunk.status == Status.RUNNING).sum())
        self._done += len(chunk.status) - alive
        for status in self._ended:
            self._ended[status] += int((chunk.status == status).sum())
        words = [f"{alive} alive", *(f"{n} {status}" for status, n in self._ended.items())]
        self._bar.show(self._done, ", ".join(words))


def show_sweep(plan: Plan, results: "pa.Table", directory: Path) -> None:
    """The summary of a sweep."""
    console = Console(soft_wrap=True, highlight=False)
    wide = Console(width=max(console.width, _TABLE_WIDTH), highlight=False)
    frame = results.to_pandas()
    counts = ", ".join(f"{n} {status}" for status, n in frame["status"].value_counts().items())
    console.print(f"{len(frame)} of {len(plan)} runs: {counts}")
    wide.print(_table(plan, best(frame, plan.by(), plan.keys(), plan.options.summary.metric)))
    failed = frame[frame["status"] == str(Status.FAILED)]
    for run, reason in failed[["run", "reason"]].head(_FAILURES_SHOWN).itertuples(index=False):
        console.print(Text(f"failed: {plan.name(run)}: {reason}", style="red"))
    if len(failed) > _FAILURES_SHOWN:
        console.print(f"… and {len(failed) - _FAILURES_SHOWN} more: status=failed in the tables")
    console.print(Text(f"  {'files':<14}{directory}"))
    view = f"python -m gdlab.view {shlex.quote(str(directory))}"
    console.print(Text(f"  {'TensorBoard':<14}{view}"))


def show_plan(plan: Plan) -> None:
    """What a sweep would do: runs, batches, shapes, memory and disk."""
    console = Console(soft_wrap=True, highlight=False)
    shards = list(plan.shards())
    console.print(f"{len(plan)} runs in {len(plan.groups)} batches, cut into {len(shards)} shards")
    for group in plan.groups:
        settings = group.settings
        what = f"{settings.name('loss')}, {settings.name('optimizer')}"
        columns = ", ".join(group.columns) or "nothing"
        shape = f"R = {len(group)}, D = {settings.loss.dim}, T = {settings.steps}"
        console.print(f"  {what}: {shape}, varying in {columns}")
    rows, dim = max((len(shard), shard.settings.loss.dim) for shard in shards)
    memory = _CHUNK_BYTES + rows * dim * _STATE_COPIES * _NUMBER_BYTES
    recorded = min(len(plan), plan.options.record.max_run_dirs)
    disk = recorded * sum(_run_bytes(plan.groups[0])) + len(plan) * _ROW_BYTES
    console.print(
        f"  memory about {_size(memory)}, disk at most about {_size(disk)}; nothing was run"
    )


def _run_bytes(group: Group) -> tuple[int, int]:
    """The size of a run's history and of its events, at the most."""
    settings = group.settings
    records = settings.steps // settings.record.every + 2
    coordinates = min(settings.loss.dim, settings.record.max_coords)
    return records * (4 + coordinates) * _NUMBER_BYTES, min(records, MAX_POINTS) * _EVENT_BYTES


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"


def _table(plan: Plan, found: list[Best]) -> Table:
    metric = plan.options.summary.metric
    table = Table(box=None, pad_edge=False, header_style="dim")
    keys = [*found[0].combination, *found[0].choice]
    for key in keys:
        table.add_column(f"best {key}" if key in found[0].choice else key)
    for name in (f"{metric}: median (quartiles)", "evaluations", "converged", "diverged", "run"):
        table.add_column(name)
    for one in found:
        chosen = {**one.combination, **one.choice}
        table.add_row(
            *(_word(chosen[key]) for key in keys),
            _spread(one.metric),
            _spread(one.evaluations),
            f"{one.solved} of {one.count}",
            f"{one.lost} of {one.count}",
            plan.name(one.run),
        )
    return table


def _spread(quartiles: tuple[float, float, float]) -> str:
    low, median, high = quartiles
    return _word(median) if low == high else f"{_word(median)} ({_word(low)}, {_word(high)})"


def _word(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else str(value)
    return str(value)
