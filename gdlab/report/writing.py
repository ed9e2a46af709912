"""Write a report: report.html, report.md, tables/*.tex and figures in three formats."""

from pathlib import Path

from gdlab.plots.style import FORMATS, render
from gdlab.recording.files import make_folder, write_atomically
from gdlab.report.content import Document
from gdlab.report.html import html_of
from gdlab.report.latex import latex_of
from gdlab.report.markdown import markdown_of

HTML, MARKDOWN = "report.html", "report.md"


def write_report(document: Document, directory: Path) -> Path:
    """Write a report into a directory and return its HTML file."""
    for table in document.tables:
        _write(directory / "tables" / f"{table.name}.tex", latex_of(table))
    for figure in document.figures:
        make_folder(directory / "figures")
        for form in FORMATS:
            path = directory / "figures" / f"{figure.name}.{form}"
            content = figure.svg if form == "svg" else render(figure.drawing, form)
            write_atomically(path, content)
    _write(directory / MARKDOWN, markdown_of(document))
    _write(directory / HTML, html_of(document))
    return directory / HTML


def _write(path: Path, text: str) -> None:
    make_folder(path.parent)
    write_atomically(path, text.encode())
