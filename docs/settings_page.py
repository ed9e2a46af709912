"""Generate the page of all settings from the comments of conf."""

import re
from collections.abc import Iterator

from optimizer_page import plain, row

from gdlab.paths import CONF

_TITLE = """# Settings

Any of them is changed on the command line, as `lr=0.01` or `stop.grad_tol=1e-6`, and in Python, as
`gdlab.run(lr=0.01, **{"stop.grad_tol": 1e-6})`. The settings of each loss and optimizer are on
the pages of [losses](losses.md) and [optimizers](optimizers.md). This page is generated from the
comments in `conf`.
"""
_GROUPS = (
    ("A run or a sweep: `python -m gdlab`", "config.yaml"),
    ("A report on derivatives: `python -m gdlab.derivatives`", "derivatives.yaml"),
)
_LINE = re.compile(r"^( *)([a-z_]+): *(.*?)(?: *# (.*))?$")
_NO_SETTINGS = ("defaults", "hydra")


def page() -> str:
    """Return the page."""
    lines = [_TITLE]
    for title, name in _GROUPS:
        lines += [f"## {title}", "", *row("setting", "default", "meaning")]
        for setting, default, meaning in settings((CONF / name).read_text("utf-8")):
            lines += row(f"`{setting}`", f"`{default}`" if default else "", plain(meaning))
        lines.append("")
    lines += ["## Schedules of the learning rate: `schedule=`", ""]
    lines += row("setting", "default", "meaning")
    for path in sorted((CONF / "schedule").glob("*.yaml")):
        text = path.read_text("utf-8")
        first = next(line for line in text.splitlines() if line.startswith("# "))
        lines += row(f"`schedule={path.stem}`", "", plain(first.removeprefix("# ")))
        for setting, default, meaning in settings(text):
            lines += row(f"`schedule.{setting}`", f"`{default}`", plain(meaning))
    return "\n".join(lines) + "\n"


def settings(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield name, default and comment of each setting of a file of conf, nodes before theirs."""
    node = ""
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        indent, name, default, meaning = found.groups()
        node = node if indent else name
        if node in _NO_SETTINGS or name == "_target_":
            continue
        known = "" if default.startswith("${") else default  # else it is that of another setting
        yield (f"{node}.{name}" if indent else name), known, meaning or ""
