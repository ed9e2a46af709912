"""A comparison on disk: written once, and read to resume without composing anything."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from gdlab.bench.contest import EARLIER, Contest, Rules
from gdlab.bench.entrants import Entrant
from gdlab.bench.space import Space
from gdlab.bench.suites import Problem, Suite
from gdlab.config.loading import choice_from_values
from gdlab.losses.datasets.fingerprints import Fingerprint
from gdlab.optimizers.base import Optimizer
from gdlab.recording.digests import VerifiedFiles, write_with_digest
from gdlab.sweeps.plan_file import refuse_changed, refuse_foreign, restored, tagged, targets
from gdlab.version import __version__

CONTEST = "bench.json"


def save(contest: Contest, directory: Path) -> None:
    """Write a comparison into its directory."""
    written = {
        "version": __version__,
        "executor": contest.executor,
        "rules": contest.rules.settings(),
        "optimizers": [
            {
                "name": entrant.name,
                "typed": entrant.typed,
                "lr": entrant.lr,
                "space": entrant.space.written(),
                "values": tagged(entrant.optimizer),
            }
            for entrant in contest.entrants
        ],
        "suite": asdict(contest.suite),
        "data": [asdict(file) for file in contest.data],
    }
    write_with_digest(directory, CONTEST, json.dumps(written, indent=1).encode())


def load(directory: Path, named: Iterable[str] = ()) -> Contest:
    """Read the comparison of a directory.

    Args:
        directory: the comparison's.
        named: classes from outside gdlab that the person who resumes names.

    Raises:
        SettingError: there is none, or it names a class that the person did not.
        RecordError: the file is damaged.
    """
    return restored(directory, CONTEST, "comparison", partial(_restore, directory, set(named)))


def _restore(directory: Path, named: set[str], files: VerifiedFiles) -> Contest:
    written = json.loads(files.read_text(CONTEST))
    data = tuple(Fingerprint(**file) for file in written["data"])
    refuse_changed(data, directory)
    suite = written["suite"]
    problems = tuple(Problem(**problem) for problem in suite["problems"])
    entrants = []
    for given in written["optimizers"]:
        for key, target in targets(given["values"], "optimizer."):
            refuse_foreign(key, target, named, directory)
        optimizer = choice_from_values("optimizer", given["values"])
        assert isinstance(optimizer, Optimizer)
        name, space = given["name"], Space.of(given["name"], given["space"])
        entrants.append(Entrant(name, optimizer, space, given["lr"], given["typed"]))
    typed = suite.get("typed", suite["name"])  # comparisons of earlier versions lack it
    suite = Suite(suite["name"], suite["about"], problems, typed)
    rules = Rules(**{**EARLIER, **written["rules"]})
    return Contest(tuple(entrants), suite, rules, written["executor"], data)
