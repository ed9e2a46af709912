"""The notebooks: run from top to bottom, compared with the outputs that they keep, rewritten.

They keep small outputs, texts and pictures of few colors: GitHub and the site show them without a
kernel, and a test that runs them keeps them true. A slider needs a kernel: what it shows at first
is kept, not the slider.

python docs/run_notebooks.py          run all and print what differs
python docs/run_notebooks.py --write  write what their cells print and draw into them
"""

import base64
import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from notebook_page import PICTURE, TEXT, pictures_of, text_of
from shown_pictures import same_picture, small
from shown_text import difference

PATHS = sorted((Path(__file__).parent / "notebooks").glob("*.ipynb"))
_WIDGET = "application/vnd.jupyter.widget-view+json"
_SECONDS = 300  # that a cell may take


def execute(notebook: NotebookNode) -> None:
    """Run a notebook in a kernel of its own and an empty directory; put outputs into its cells.

    Raises:
        CellExecutionError: a cell failed.
    """
    with tempfile.TemporaryDirectory() as directory:
        client = NotebookClient(
            notebook,
            timeout=_SECONDS,
            record_timing=False,
            coalesce_streams=True,  # a printed line may come in two pieces
            resources={"metadata": {"path": directory}},
        )
        # A client that mirrors widgets sends their pictures back to the kernel, which sometimes
        # waits for ever. Without, what a slider shows is an output like any other.
        client.comm_open_handlers = {}
        client.execute()


def kept(shown: NotebookNode) -> list[NotebookNode]:
    """Return what a notebook keeps of an output: a text or a small picture, not a slider."""
    if shown.output_type == "stream":
        return [shown]
    if _WIDGET in shown.data:
        return []
    data = {TEXT: shown.data[TEXT]}
    if PICTURE in shown.data:
        drawn = io.BytesIO(base64.b64decode(shown.data[PICTURE]))
        data = {PICTURE: base64.b64encode(small(drawn)).decode()}
    return [nbformat.v4.new_output("display_data", data)]


def difference_of(cell: NotebookNode, shown: Sequence[NotebookNode]) -> str | None:
    """Return in what a cell's outputs differ from those shown now; None for nothing."""
    if difference(text_of(cell.outputs), text_of(shown)) is not None:
        return f"{text_of(cell.outputs)}\nbut\n{text_of(shown)}"
    pictures = pictures_of(cell.outputs), pictures_of(shown)
    counts = [len(each) for each in pictures]
    if counts[0] != counts[1] or not all(map(same_picture, *pictures)):
        return f"another picture of\n{cell.source}"
    return None


def check(path: Path, *, write: bool = False) -> list[str]:
    """Run a notebook and return what is not as it says.

    Args:
        path: of the notebook.
        write: whether the outputs that differ are written anew.
    """
    notebook, ran = (nbformat.read(path, as_version=4) for _ in range(2))
    execute(ran)
    wrong = []
    for cell, now in zip(notebook.cells, ran.cells, strict=True):
        if cell.cell_type != "code":
            continue
        shown = [output for each in now.outputs for output in kept(each)]
        unlike = difference_of(cell, shown)
        if unlike is not None:
            wrong.append(unlike)
            cell.outputs = shown
    if wrong and write:
        nbformat.write(notebook, path)
    return wrong


def main(arguments: Sequence[str]) -> int:
    """Check or write the notebooks; return 1 where one differs."""
    write, untrue = "--write" in arguments, 0
    for path in PATHS:
        wrong = check(path, write=write)
        print(path.name, "as it says" if not wrong else "written anew" if write else "differs")
        if wrong and not write:
            print(*wrong, sep="\n")
            untrue += 1
    return 1 if untrue else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
