"""A comparison from Python: `gdlab.bench`."""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gdlab.bench import contest_file
from gdlab.bench.contest import TRACKS, Contest, Rules
from gdlab.bench.entrants import entrants_of
from gdlab.bench.report import document_of
from gdlab.bench.runner import RESULT, SCORES, Watch, run_contest
from gdlab.bench.standings import Track, chaotic, tracks_of
from gdlab.bench.suites import Suite, load_suite
from gdlab.bench.summary import cautions, lines
from gdlab.bench.tuning import Tuned
from gdlab.errors import SettingError
from gdlab.fields.construction import make
from gdlab.fields.validation import Range, check_value
from gdlab.losses.datasets.fingerprints import noting_files
from gdlab.paths import user_path
from gdlab.recording.digests import begin_digests, write_with_digest
from gdlab.recording.files import write_atomically
from gdlab.recording.lock import claimed
from gdlab.recording.parquet import csv_of, write_table
from gdlab.recording.result_file import versions
from gdlab.report.writing import write_report
from gdlab.results.ranking import DataFrame


@dataclass(frozen=True, repr=False)
class Comparison:
    """A finished comparison of optimizers.

    >>> import gdlab
    >>> found = gdlab.bench(["sgd", "bfgs"], trials=2, seeds=2, chaos=0, budget=50,
    ...                     executor="serial")
    >>> track = found.track("default")
    >>> track.optimizers[track.order[0]]
    'bfgs'

    Attributes:
        contest: what was compared, by which rules.
        tuned: the settings that tuning chose.
        scores: a row for each scored run.
        directory: where its files are; None if there are none.
    """

    contest: Contest
    tuned: Tuned
    scores: DataFrame
    directory: Path | None

    def track(self, name: str = "tuned") -> Track:
        """Return the scores on a track: tuned (for each problem), shared (one setting), default.

        Raises:
            SettingError: there is no such track.
        """
        if name not in TRACKS:
            raise SettingError(f"track={name}: must be one of {', '.join(TRACKS)}")
        return self.tracks[name]

    @cached_property
    def tracks(self) -> dict[str, Track]:
        """The scores on each track."""
        return tracks_of(self.scores)

    @cached_property
    def notes(self) -> list[str]:
        """What a reader has to know besides the ranks."""
        found = cautions(self.contest, self.tuned, self.tracks, chaotic(self.scores))
        return list(found)

    def __repr__(self) -> str:
        best = self.track()
        names = [best.optimizers[at] for at in best.order if best.ranks[at] == 1]
        contest = self.contest
        what = f"{len(contest.entrants)} optimizers, {len(contest.suite.problems)} problems"
        return f"Comparison({contest.suite.name}: {what}; best tuned: {', '.join(names)})"

    def __str__(self) -> str:
        return "\n".join(lines(self.tracks, self.notes))


def bench(
    optimizers: Any = ("sgd", "momentum", "adam", "lbfgs"),
    suite: "str | Path | Suite" = "quick",
    *,
    directory: str | Path | None = None,
    executor: str = "processes",
    **rules: Any,
) -> Comparison:
    """Compare optimizers: tune each with the same number of trials, score it on new seeds.

    >>> import gdlab
    >>> found = gdlab.bench(["sgd", "lbfgs"], trials=2, seeds=3, chaos=0, budget=50,
    ...                     executor="serial")
    >>> found
    Comparison(quick: 2 optimizers, 10 problems; best tuned: lbfgs)

    Args:
        optimizers: names from conf/optimizer, `gdlab.Optimizer` or classes of these or of
            torch.optim; a mapping gives them other names.
        suite: a name from conf/suite, the path of a YAML file, or a suite.
        directory: a new or empty folder for the files that a comparison on the command line
            writes; None to write nothing.
        executor: "serial" for this process, "processes" for all cores, "ray" for a cluster.
        rules: trials, tuning_seeds, finalists, seeds, chaos, budget and seed, as in
            conf/bench.yaml.

    Raises:
        SettingError: a setting is unknown or wrong.
    """
    contest = prepare(optimizers, suite, executor, rules)
    if directory is None:
        tuned, scores = run_contest(contest, None)
        return Comparison(contest, tuned, scores, None)
    folder = user_path(check_value("directory", directory, str, Range()))
    with claimed(folder, exact=True, setting="directory") as path:
        begin_digests(path)
        contest_file.save(contest, path)
        return finish(contest, path)


def prepare(
    optimizers: Any, suite: Any, executor: str, rules: dict[str, Any], folders: Iterable[Path] = ()
) -> Contest:
    """Return a comparison, checked.

    Args:
        optimizers: as `bench` takes them.
        suite: as `bench` takes it.
        executor: the name of what runs the shards.
        rules: the settings of `Rules`.
        folders: further folders like conf, for optimizers and suites.

    Raises:
        SettingError: a setting is unknown or wrong.
    """
    folders = list(folders)
    problems = suite if isinstance(suite, Suite) else load_suite(str(suite), folders)
    contest = Contest(entrants_of(optimizers, folders), problems, make("", Rules, rules), executor)
    with noting_files() as files:
        contest.check()
    return dataclasses.replace(contest, data=tuple(files.values()))


def finish(
    contest: Contest, directory: Path, watch: Watch | None = None, *, report: bool = True
) -> Comparison:
    """Run what a comparison still lacks, and write its scores and its report.

    Raises:
        Interrupted: `watch` asked to stop; what ended is kept.
    """
    import pyarrow as pa

    tuned, scores = run_contest(contest, directory, watch or Watch())
    table = pa.Table.from_pandas(scores, preserve_index=False)
    write_table(directory, SCORES, table)
    write_atomically(directory / "scores.csv", csv_of(table))
    found = Comparison(contest, tuned, scores, directory)
    result = {"versions": dict(versions()), "notes": found.notes}
    write_with_digest(directory, RESULT, json.dumps(result, indent=1).encode())
    if report:
        write_report(document_of(directory, found.tracks), directory)
    return found
