"""The leaderboard: every optimizer of conf on suite=all, and its page.

make leaderboard                    run the comparison, and write its data into docs/leaderboard
python docs/leaderboard_page.py     the same without making the environment
"""

import dataclasses
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from gdlab.bench import contest_file
from gdlab.bench.comparison import finish, prepare
from gdlab.bench.report import document_of
from gdlab.bench.runner import RESULT, SCORES
from gdlab.fields.suggestions import choices_of
from gdlab.plots.style import render
from gdlab.recording.digests import VerifiedFiles, begin_digests, write_with_digest
from gdlab.recording.parquet import read_parquet, write_table
from gdlab.report.markdown import markdown_of

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
LEFT_OUT = ("What to take with care", "Settings")
INTRODUCTION = """Every optimizer of `conf/optimizer` on every problem of `suite=all`, compared as
[Comparing optimizers](compare.md) says. `make leaderboard` runs it again; the scores lie in
`docs/leaderboard`.
"""


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


def keep(source: Path, target: Path) -> None:
    """Copy a comparison without what its page does not need, in at most 2 MB."""
    import pyarrow as pa
    import pyarrow.compute as pc

    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    begin_digests(target)
    about: dict[str, Any] = json.loads((source / contest_file.CONTEST).read_text())
    about["data"] = []  # paths of this machine
    for name, content in ((contest_file.CONTEST, about), (RESULT, _result(source))):
        write_with_digest(target, name, json.dumps(content, indent=1).encode())
    scores = read_parquet(VerifiedFiles(source), SCORES)
    columns = {name: scores[name] for name in KEPT}
    columns["reason"] = pa.array([""] * len(scores))
    for name in scores.column_names:
        if name.startswith("evaluations_to_"):
            columns[name] = pc.cast(scores[name], pa.int32())
    write_table(target, SCORES, pa.table(columns))
    size = sum(path.stat().st_size for path in target.iterdir())
    print(f"{target}: {size:,} bytes")
    assert size <= MOST_BYTES


def _result(source: Path) -> dict[str, Any]:
    return json.loads((source / RESULT).read_text())


def write(docs: Path) -> None:
    """Write the page, and its pictures into the folder leaderboard_pictures."""
    document = document_of(DATA)
    sections = [section for section in document.sections if section.title not in LEFT_OUT]
    pictures = docs / "leaderboard_pictures"
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir()
    for figure in document.figures:
        (pictures / f"{figure.name}.png").write_bytes(render(figure.drawing, "png"))
    page = markdown_of(dataclasses.replace(document, title="Leaderboard", sections=sections))
    title, _, rest = page.partition("\n\n")
    text = f"{title}\n\n{INTRODUCTION}\n{rest}".replace("](figures/", "](leaderboard_pictures/")
    (docs / "leaderboard.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run())
