"""A dry run: print what a sweep would do."""

from gdlab.console import PlainConsole
from gdlab.recording.thinning import points_for
from gdlab.sweeps.plan import Group, Plan

# For the estimates: the memory of a chunk; arrays of the size of x that an optimizer and the
# engine keep; bytes of a number, of a row of the table, of an event.
_CHUNK_BYTES, _STATE_COPIES, _NUMBER_BYTES, _ROW_BYTES, _EVENT_BYTES = 2**26, 16, 8, 256, 220


def show_plan(plan: Plan) -> None:
    """Print the runs, batches, shapes, memory and disk space of a sweep."""
    console = PlainConsole()
    shards = list(plan.shards())
    batches = f"{len(plan.groups)} batch{'es' * (len(plan.groups) != 1)}"
    cut = f", cut into {len(shards)} shards" if len(shards) > len(plan.groups) else ""
    console.print(f"{len(plan)} runs in {batches}{cut}")
    for group in plan.groups:
        settings = group.settings
        names = f"{settings.name('loss')}, {settings.name('optimizer')}"
        columns = ", ".join(group.columns) or "nothing"
        shape = f"R = {len(group)}, D = {settings.loss.dim}, T = {settings.most_steps}"
        console.print(f"  {names}: {shape}, varying in {columns}")
    rows, dim = max((len(shard), shard.settings.loss.dim) for shard in shards)
    memory = _CHUNK_BYTES + rows * dim * _STATE_COPIES * _NUMBER_BYTES
    recorded = min(len(plan), plan.options.record.max_run_dirs)
    per_run = sum(_run_bytes(plan.groups[0], points_for(recorded)))
    disk = recorded * per_run + len(plan) * _ROW_BYTES
    needs = f"memory about {_format_bytes(memory)}, disk at most about {_format_bytes(disk)}"
    console.print(f"  {needs}; nothing was run")


def _run_bytes(group: Group, points: int) -> tuple[int, int]:
    """Estimate the largest size of a run's history and of its events, in bytes."""
    settings = group.settings
    records = settings.most_steps // settings.record.every + 2
    coordinates = min(settings.loss.dim, settings.record.max_coords)
    return records * (4 + coordinates) * _NUMBER_BYTES, min(records, points) * _EVENT_BYTES


def _format_bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"
