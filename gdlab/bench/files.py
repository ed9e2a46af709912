"""What a comparison left in its directory, read back without importing any class that it names."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gdlab.bench.contest import EARLIER
from gdlab.bench.contest_file import CONTEST
from gdlab.bench.runner import RESULT, SCORES
from gdlab.bench.standings import Track, tracks_of
from gdlab.bench.tuning import as_typed
from gdlab.errors import SettingError
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.parquet import read_parquet
from gdlab.results.ranking import DataFrame


@dataclass(frozen=True)
class Files:
    """What a comparison left.

    Attributes:
        directory: of the comparison.
        about: the content of bench.json.
        result: the content of result.json: versions and notes.
        tracks: the scores on each track.
        scores: the table of scores.
    """

    directory: Path
    about: Mapping[str, Any]
    result: Mapping[str, Any]
    tracks: Mapping[str, Track]
    scores: DataFrame

    @classmethod
    def read(cls, directory: Path, tracks: Mapping[str, Track] | None = None) -> "Files":
        """Read the files of a comparison that has ended.

        Args:
            directory: of the comparison.
            tracks: the scores on each track, where these are at hand.

        Raises:
            SettingError: the comparison has not ended.
            RecordError: a file is missing or damaged.
        """
        files = VerifiedFiles(directory)
        if RESULT not in files:
            why = f"has not ended; python -m gdlab.bench resume={directory} continues it"
            raise SettingError(f"DIR={directory}: the comparison {why}")
        about, result = (json.loads(files.read_text(name)) for name in (CONTEST, RESULT))
        about["rules"] = {**EARLIER, **about["rules"]}
        scores = read_parquet(files, SCORES).to_pandas()
        return cls(directory, about, result, tracks or tracks_of(scores), scores)

    @property
    def command(self) -> str:
        """The command that makes the comparison again; empty if only Python can."""
        typed = [each["typed"] for each in self.about["optimizers"]]
        suite = self.about["suite"]
        suite = suite.get("typed", suite["name"])  # comparisons of earlier versions lack it
        if None in (suite, *typed) or len({*typed}) < len(typed):
            return ""
        words = {"optimizers": ",".join(typed), "suite": suite, **self.about["rules"]}
        return f"python -m gdlab.bench {as_typed(words)}"
