"""The notebooks run from top to bottom, show what they keep, and their pages hold all of it."""

import base64
import re
from pathlib import Path

import pytest
from notebook_page import page, text_of

nbformat = pytest.importorskip("nbformat", reason="pip install -e '.[docs]'")
run_notebooks = pytest.importorskip("run_notebooks", reason="pip install -e '.[docs]'")
pytestmark = [pytest.mark.site, pytest.mark.xdist_group("kernels")]
"""Two kernels that start at once may choose the same ports, and wait for ever."""
MOVED = """
for lr in (0.05, 0.14):
    show(lr)
"""


@pytest.mark.parametrize("path", run_notebooks.PATHS, ids=lambda path: path.stem)
def test_notebook_is_true(path: Path) -> None:
    assert run_notebooks.check(path) == [], "make examples"


def test_the_slider_moves() -> None:
    (path,) = (path for path in run_notebooks.PATHS if path.stem == "first_steps")
    cells = nbformat.read(path, as_version=4).cells
    (slider,) = (cell for cell in cells if "interact(" in cell.source)
    moved = nbformat.v4.new_code_cell(MOVED)
    ran = nbformat.v4.new_notebook(cells=[*cells[: cells.index(slider) + 1], moved])
    run_notebooks.execute(ran)
    printed = text_of(ran.cells[-1].outputs)
    assert re.findall(r"lr=([\d.]+): max_steps at step 40", printed) == ["0.05", "0.14"]


def test_page_of_a_notebook(tmp_path: Path) -> None:
    picture = {"data": {"image/png": base64.b64encode(b"drawn").decode()}}
    cells = [
        {"cell_type": "markdown", "source": ["# A\n", "b"]},
        {"cell_type": "code", "source": ["f()"], "outputs": [{"text": ["1\n"]}, picture]},
    ]
    text = page(cells, tmp_path / "n")
    assert text.startswith("# A\nb\n\n```python\nf()\n```\n\n```text\n1\n```\n\n![")
    assert (tmp_path / "n-3.png").read_bytes() == b"drawn"
