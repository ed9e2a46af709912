"""The texts of a run in TensorBoard, as Markdown."""

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

from gdlab.console import visible
from gdlab.engine.outcome import Outcome

_MARKUP = re.compile(r"[\\`*|\[\]]|(?<![^\W_])_|_(?![^\W_])")  # an underscore inside a word is none
_STAMPED = re.compile(r"(\d{6}-\d{6})-(.+)")
_NUMBERS = (
    "steps",
    "evaluations",
    "final_loss",
    "best_loss",
    "best_step",
    "grad_norm",
    "distance",
    "suboptimality",
    "lr_limit",
)


def as_markdown(text: str) -> str:
    """Return Markdown that shows a text as it is: no markup, HTML or formula."""
    plain = _MARKUP.sub(r"\\\g<0>", escape(visible(text), quote=False))
    return plain.replace("$", "&#36;")


def as_block(texts: Mapping[str, str], language: str) -> str:
    """Return Markdown that shows texts by name as they are, one per line."""
    lines = "\n".join(visible(f"{name}: {text}") for name, text in texts.items())
    return f"```{language}\n{lines}\n```"


def summarize(outcome: Outcome) -> str:
    """Return what happened in a run: status, reason and diagnosis, then a table of its numbers."""
    numbers = {name: getattr(outcome, name) for name in _NUMBERS} | dict(outcome.metrics)
    rows = [
        f"| {as_markdown(name)} | {value:.8g} |"
        for name, value in numbers.items()
        if value is not None
    ]
    said = f"**{outcome.status}**: {as_markdown(outcome.reason)}"
    happened = [] if outcome.explanation is None else ["", as_markdown(outcome.explanation)]
    return "\n".join([said, *happened, "", "| | |", "| --- | --- |", *rows])


def trial_name(directory: Path) -> str:
    """Return the name of a run in the HParams table, which shows the first 15 letters or so.

    What was run is first, then where: the table would merge two runs of the same name. For example
    `adam,lr=0.01,seed=3 · runs/261127-115019-sweep`.
    """
    *_, grandparent, parent, name = ("", "", *directory.absolute().parts)
    stamped = _STAMPED.fullmatch(name)
    words = (stamped[2], stamped[1]) if stamped else (name,)
    return " · ".join([*words, f"{grandparent}/{parent}"])
