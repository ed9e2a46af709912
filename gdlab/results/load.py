"""Runs and sweeps read back as pandas tables. Nothing is imported, evaluated or unpickled."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdlab.errors import RecordError
from gdlab.recording.parquet import read_parquet

if TYPE_CHECKING:
    import pandas as pd

    from gdlab.results.ranking import Best


_SELECTED = re.compile(r"\$\{oc\.select:(\w+)\.(\w+),([\w.+-]*)\}", re.ASCII)


@dataclass(frozen=True)
class Recorded:
    """What was read back from the directory of a run or of a sweep.

    Attributes:
        directory: where it was read from; None for a sweep that left none.
        results: one row per run: its settings and how it ended, the point as x0, x1, … .
        config: the configuration as it was composed.
        varied: the settings that a sweep varied.
        directories: for each run of a sweep that has a directory its name.
        metrics: the names of what the losses of a sweep measure, such as accuracy.
    """

    directory: Path | None
    results: "pd.DataFrame"
    config: dict[str, Any]
    varied: tuple[str, ...] = ()
    directories: Mapping[int, str] | None = None
    metrics: tuple[str, ...] = ()

    def history(self, run: int | None = None) -> "pd.DataFrame":
        """One row a record: step, loss, grad_norm, lr, x0 … .

        Args:
            run: which run of a sweep.

        Raises:
            RecordError: the run has no directory, or its file is damaged.
        """
        if self.directory is not None and self.directories is None:
            return read_parquet(self.directory / "history.parquet").to_pandas()
        if self.directory is None or run is None or run not in (self.directories or {}):
            raise RecordError(f"run {run} has no history, only its row")
        assert self.directories is not None
        return read_parquet(self.directory / self.directories[run] / "history.parquet").to_pandas()

    def best(
        self, by: Sequence[str] = (), metric: str = "final_loss", direction: str | None = None
    ) -> "list[Best]":
        """The best settings of each combination of the settings `by`; see `sweep_summary`.

        Args:
            by: settings.
            metric: the column by which runs that did not converge are ranked.
            direction: "min" or "max", whichever is best; None for max of `metrics`, else min.

        Raises:
            SettingError: there is no such setting, metric or direction.
        """
        from gdlab.results.ranking import Metric, best

        return best(self.results, by, self.varied, Metric.of(metric, direction, self.metrics))


def load(directory: str | Path) -> Recorded:
    """Read the directory of a run or of a sweep.

    Raises:
        RecordError: there is neither, or one of its files is damaged; it names the file.
    """
    directory = Path(directory)
    if (directory / "result.json").is_file():
        return _load_run(directory)
    if (directory / "sweep.json").is_file():
        return _load_sweep(directory)
    raise RecordError(f"{directory}: holds no run (no result.json) and no sweep (no sweep.json)")


def _load_run(directory: Path) -> Recorded:
    import pandas as pd
    import yaml

    result = _read(directory / "result.json", json.loads)
    versions, point = result.pop("versions", None), result.pop("x", None)
    if not isinstance(versions, dict) or not isinstance(point, list):
        raise RecordError(f"{directory / 'result.json'}: damaged (no versions or no point)")
    result |= {f"versions.{name}": version for name, version in versions.items()}
    result |= {f"x{i}": value for i, value in enumerate(point)}
    config = _resolved(_read(directory / ".hydra" / "config.yaml", yaml.safe_load))
    return Recorded(directory, pd.DataFrame([result]), config)


def _load_sweep(directory: Path) -> Recorded:
    import yaml

    about = _read(directory / "sweep.json", json.loads)
    named = {int(run): str(name) for run, name in about.get("directories", {}).items()}
    is_hydras = (directory / "multirun.yaml").is_file()
    config = _resolved(_read(directory / "multirun.yaml", yaml.safe_load)) if is_hydras else {}
    results = read_parquet(directory / "results.parquet").to_pandas()
    varied, metrics = (tuple(map(str, about.get(key, ()))) for key in ("varied", "metrics"))
    return Recorded(directory, results, config, varied, named, metrics)


def _resolved(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration with numbers in the place of top settings that follow another, as lr does.

    Of what may be written there `${oc.select:setting,default}` alone is understood.
    """
    import yaml

    made = dict(config)
    for key, value in config.items():
        if found := _SELECTED.fullmatch(str(value)):
            owner = config.get(found[1])
            own = owner.get(found[2]) if isinstance(owner, dict) else None
            made[key] = yaml.safe_load(found[3]) if own is None else own
    return made


def _read(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    """A text file as a mapping."""
    import yaml

    try:
        values = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise RecordError(f"{path}: missing or damaged ({_line(error)})") from error
    if not isinstance(values, dict):
        raise RecordError(f"{path}: missing or damaged (it holds no settings)")
    return values


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
