"""Generate the gallery of experiments from experiments/*/README.md."""

import re
from pathlib import Path

_TITLE = """# Experiments

One question each, with the command, the finding in numbers and the picture that the command drew.
`python -m gdlab experiment=NAME` runs one; some are comparisons by `python -m gdlab.bench`.

:::{container} gallery
"""
_ROW = re.compile(r"^\| \[\w+\]\((\w+)/README\.md\) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")


def write(source: Path, target: Path) -> None:
    """Write the gallery and a page for each experiment.

    Args:
        source: the folder experiments.
        target: the folder of the pages.
    """
    answers = dict(_ROW.findall((source / "README.md").read_text(encoding="utf-8")))
    cards = []
    for name, answer in answers.items():
        text = (source / name / "README.md").read_text(encoding="utf-8")
        title = text.partition("\n")[0].removeprefix("# ")
        alt, picture = _PICTURE.findall(text)[0]
        cards.append(f"[![{alt}]({name}.png)]({name}.md)\n**[{title}]({name}.md)**\\\n{answer}\n")
        (target / f"{name}.png").write_bytes((source / name / picture).read_bytes())
        (target / f"{name}.md").write_text(
            _PICTURE.sub(rf"![\1]({name}.png)", text), encoding="utf-8"
        )
    toctree = "\n".join(["```{toctree}", ":hidden:", "", *answers, "```", ""])
    page = "\n".join([_TITLE, *cards, ":::", "", toctree])
    (target / "index.md").write_text(page, encoding="utf-8")
