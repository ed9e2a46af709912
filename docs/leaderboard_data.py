"""The data of the leaderboard: every optimizer of conf on suite=all.

make leaderboard                    run the comparison, and write its data into docs/leaderboard
python docs/leaderboard_data.py     the same without making the environment
"""

import datetime
import json
import shutil
from pathlib import Path
from typing import Any

from gdlab.bench import contest_file
from gdlab.bench.comparison import finish, prepare
from gdlab.bench.runner import RESULT, SCORES
from gdlab.fields.suggestions import choices_of
from gdlab.recording.digests import VerifiedFiles, begin_digests, write_with_digest
from gdlab.recording.parquet import read_parquet, write_table

HERE = Path(__file__).parent
DATA = HERE / "leaderboard"
RUNS = HERE.parent / "runs" / "leaderboard"
RULES = {"trials": 32, "tuning_seeds": 3, "seeds": 10, "chaos": 2}
NO_ENTRANTS = ("custom", "torch")
MOST_BYTES = 2 * 2**20
KEPT = (
    *("optimizer", "problem", "track", "variant", "seed", "settings"),
    *("budget", "targets", "dim", "evaluations", "status", "diagnosis"),
)


def run() -> None:
    """Run or resume the comparison, and write what the page needs."""
    if not (RUNS / contest_file.CONTEST).is_file():
        RUNS.mkdir(parents=True, exist_ok=True)
        begin_digests(RUNS)
        names = [name for name in choices_of("optimizer") if name not in NO_ENTRANTS]
        contest_file.save(prepare(names, "all", "processes", dict(RULES)), RUNS)
    contest = contest_file.load(RUNS)
    contest.check()
    finish(contest, RUNS, report=False)
    keep(RUNS, DATA)


def keep(source: Path, target: Path) -> int:
    """Copy a comparison without what its page does not need, and return the bytes.

    Raises:
        ValueError: they are more than `MOST_BYTES`.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    begin_digests(target)
    about, result = (_read(source / name) for name in (contest_file.CONTEST, RESULT))
    about["data"] = []  # paths of this machine
    ended = (source / RESULT).stat().st_mtime
    result["date"] = str(datetime.datetime.fromtimestamp(ended, datetime.UTC).date())
    for name, content in ((contest_file.CONTEST, about), (RESULT, result)):
        write_with_digest(target, name, json.dumps(content, indent=1).encode())
    scores = read_parquet(VerifiedFiles(source), SCORES)
    columns = {name: scores[name] for name in KEPT}
    for name in scores.column_names:
        if name.startswith("evaluations"):
            columns[name] = pc.cast(scores[name], pa.int32())
    write_table(target, SCORES, pa.table(columns))
    size = sum(path.stat().st_size for path in target.iterdir())
    if size > MOST_BYTES:
        raise ValueError(f"{target}: {size:,} bytes, must be at most {MOST_BYTES:,}")
    return size


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run()
    print(f"{DATA}: {sum(path.stat().st_size for path in DATA.iterdir()):,} bytes")
