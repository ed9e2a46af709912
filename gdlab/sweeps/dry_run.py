"""What a sweep would do, shown instead of doing it."""

from rich.console import Console

from gdlab.recording.thinning import MAX_POINTS
from gdlab.sweeps.plan import Group, Plan

# For the estimates of a dry run.
_CHUNK_BYTES, _STATE_COPIES, _NUMBER_BYTES, _ROW_BYTES, _EVENT_BYTES = 2**26, 16, 8, 256, 220


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
