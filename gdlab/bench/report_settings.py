"""The last part of the report of a comparison: spaces, problems, and the commands of scores."""

from collections.abc import Iterator

from gdlab.bench.contest import SCORE
from gdlab.bench.files import Files
from gdlab.bench.tuning import as_typed
from gdlab.fields.formatting import format_value
from gdlab.report.content import Block, Table


def settings_of(files: Files) -> Iterator[Block]:
    """Yield the tables of search spaces, of problems, and of what was scored."""
    optimizers, suite = files.about["optimizers"], files.about["suite"]
    yield Table(
        "spaces",
        "Search spaces.",
        ("optimizer", "setting", "searched"),
        [
            (each["name"], key, format_value(value))
            for each in optimizers
            for key, value in each["space"].items()
        ],
        folded=True,
    )
    yield Table(
        "problems",
        "Problems: settings, budget, and where a minimum is from that the loss does not know.",
        ("problem", "budget", "settings", "minimum from"),
        [
            (
                each["name"],
                str(files.about["rules"]["budget"] or each["settings"]["stop.evaluations"]),
                as_typed(each["settings"]),
                each["source"] or "the loss",
            )
            for each in suite["problems"]
        ],
        folded=True,
    )
    yield Table(
        "commands",
        "The settings that were scored, and the command of the first run of each.",
        ("problem", "optimizer", "track", "settings", "command"),
        list(_commands(files)),
        folded=True,
    )


def _commands(files: Files) -> Iterator[tuple[str, ...]]:
    typed = {each["name"]: each["typed"] for each in files.about["optimizers"]}
    budget = files.about["rules"]["budget"]
    own = {} if budget is None else {"steps": budget, "stop.evaluations": budget}
    problems = {
        each["name"]: as_typed({**each["settings"], **own})
        for each in files.about["suite"]["problems"]
    }
    rows = files.scores[files.scores["variant"] == SCORE]
    first = rows.drop_duplicates(["problem", "optimizer", "track"])
    for row in first.itertuples(index=False):
        name = typed[row.optimizer]
        command = f"python -m gdlab {problems[row.problem]} optimizer={name} {row.settings}"
        shown = f"{command} seed={row.seed}" if name else "from Python only"
        yield row.problem, row.optimizer, row.track, row.settings, shown
