"""Reports: what each form holds, that nothing in a text is markup, and the pages of runs."""

import html.parser
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gdlab
from gdlab.plots.profiles import draw_profiles
from gdlab.report import runs
from gdlab.report.content import Command, Document, Figure, Items, Section, Table, Text
from gdlab.report.html import html_of
from gdlab.report.latex import latex_of
from gdlab.report.markdown import markdown_of
from gdlab.report.writing import write_report

HOSTILE = "<script>alert(1)</script> \"'&\x1b[31m [a](http://b) `c` | $x$ \\input{d} 100% #_~^ τ ☂"


class Reader(html.parser.HTMLParser):
    """Collects the elements of a page, its text, and all that could ask for another file."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            if name in ("src", "href", "xlink:href", "data", "action"):
                self.links.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def document() -> Document:
    grid = np.logspace(0, 2, 5)
    drawing = draw_profiles(grid, np.ones((1, 5)), [HOSTILE], title=HOSTILE, xlabel="x")
    table = Table("one", HOSTILE, ("a", HOSTILE), [("1", HOSTILE)], command=HOSTILE)
    blocks = [Text(HOSTILE), Items([HOSTILE]), Command(HOSTILE), table]
    figure = Figure("two", HOSTILE, drawing, HOSTILE)
    return Document(HOSTILE, HOSTILE, [Section(HOSTILE, [*blocks, figure])])


def test_hostile_text_stays_text_in_html(document: Document) -> None:
    page = html_of(document)
    reader = Reader()
    reader.feed(page)
    assert "script" not in reader.tags
    assert all(link.startswith(("#", "data:,")) for link in reader.links)
    shown = HOSTILE.replace("\x1b", r"\x1b")
    assert reader.text.count(shown) >= 10
    assert "\x1b" not in page
    assert "default-src 'none'" in page
    assert not re.search(r"url\((?!#)", page)


def test_names_in_the_pictures_of_a_page_are_its_own(document: Document) -> None:
    figure = document.figures[0]
    twice = Document("", "", [Section("", [figure, Figure("three", "", figure.drawing)])])
    names = re.findall(r'\bid="([^"]+)"', html_of(twice))
    assert len(names) == len(set(names))


def test_hostile_text_stays_text_in_markdown(document: Document) -> None:
    text = markdown_of(document)
    assert "\x1b" not in text
    prose = re.sub(r"(?s)^```.*?^```", "", text, flags=re.MULTILINE)
    assert not re.search(r"(?<!\\)<", prose)
    assert not re.search(r"(?<!\\)`", prose)
    rows = [line for line in prose.splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [3, 3, 3]


def test_hostile_text_stays_text_in_latex(document: Document) -> None:
    text = latex_of(document.tables[0])
    row = text.splitlines()[5]
    assert row == (
        r"1 & \textless{}script\textgreater{}alert(1)\textless{}/script\textgreater{} "
        r"\textquotedbl{}'\&\textbackslash{}x1b[31m [a](http://b) `c` \textbar{} \$x\$ "
        r"\textbackslash{}input\{d\} 100\% \#\_\textasciitilde{}\textasciicircum{} $\tau$ "
        r"[U+2602] \\"
    )
    assert text.isascii() or text.splitlines()[0].startswith("%")


def test_a_report_is_written_whole_and_the_same_each_time(
    document: Document, tmp_path: Path
) -> None:
    contents = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        assert write_report(document, folder) == folder / "report.html"
        contents.append({p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.*")})
    assert contents[0] == contents[1]
    assert {str(name) for name in contents[0]} == {
        "report.html",
        "report.md",
        "tables/one.tex",
        *(f"figures/two.{form}" for form in ("png", "svg", "pdf")),
    }


def test_a_page_on_a_run_and_a_sweep_has_their_numbers(tmp_path: Path) -> None:
    quiet: Any = {"record.figures": False}
    gdlab.run("booth", lr=0.05, directory=tmp_path / "one", **quiet)
    gdlab.sweep(
        "rosenbrock",
        ["sgd", "adam"],
        lr=[1e-3, 1.0],
        steps=20,
        directory=tmp_path / "several",
        **quiet,
    )
    recorded = [gdlab.load(tmp_path / name) for name in ("one", "several")]
    document = runs.document_of(recorded)
    tables = {table.name: table for table in document.tables}
    assert [row[:3] for row in tables["overview"].rows] == [
        ("one", "1", "1 converged"),
        ("several", "4", "3 max_steps, 1 diverged"),
    ]
    result = json.loads((tmp_path / "one" / "result.json").read_text())
    assert ("steps", str(result["steps"])) in tables["result_1"].rows
    assert len(tables["runs_2"].rows) == 4
    assert [row[1] for row in tables["lost_2"].rows] == ["sgd"]
    assert {row[0] for row in tables["best_2"].rows} == {"sgd", "adam"}
    assert [figure.name for figure in document.figures] == ["loss_1", "convergence_2"]
    assert "4 runs: 3 max_steps, 1 diverged." in markdown_of(document).replace("\\", "")
