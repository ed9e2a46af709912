"""A sweep shown in a notebook."""

import dataclasses
import re
from html import unescape

import gdlab


def test_a_notebook_shows_how_runs_ended_and_the_best_of_each_optimizer() -> None:
    swept = gdlab.sweep("sphere", ["sgd", "adam"], lr=[0.1, 9.0], steps=3)
    html = swept._repr_html_()
    assert html is not None
    assert html.startswith("<div><b>4 runs</b>: ")
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in html.split("<tr>")[1:]]
    assert rows[0][:3] == ["optimizer", "best lr", "final_loss: median (quartiles)"]
    assert [row[:2] for row in rows[1:]] == [["sgd", "0.1"], ["adam", "0.1"]]
    assert "<p>Ranked by the fewest lost runs; then, if more than half met their target" in html


def test_a_notebook_escapes_what_a_table_holds() -> None:
    swept = gdlab.sweep("sphere", seed=[0, 1], steps=1)
    told = swept.results.assign(word=["<script>$x$", "\x1b[31m"])
    html = dataclasses.replace(swept, results=told, varied=("word",))._repr_html_()
    assert html is not None
    assert "<script>" not in html
    assert "\x1b" not in html
    assert "$x$" not in html
    assert "<script>$x$" in re.sub(r"</?span>", "", unescape(html))
