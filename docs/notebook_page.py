"""Generate the pages of notebooks from what they hold: text, code, and the outputs they keep."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PICTURE, TEXT = "image/png", "text/plain"
_DOWNLOAD = "{{download}}`Download this notebook <{name}.ipynb>` and open it in Jupyter.\n"


def write(folder: Path) -> None:
    """Write a page beside each notebook of a folder, with its pictures."""
    for path in sorted(folder.glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        (folder / f"{path.stem}.md").write_text(page(cells, path.with_suffix("")), encoding="utf-8")


def page(cells: Sequence[Mapping[str, Any]], target: Path) -> str:
    """Return the page of a notebook, and write its pictures.

    Args:
        cells: of the notebook.
        target: the path of the page without its suffix; pictures get a number.
    """
    parts = []
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(f"{source}\n")
            continue
        parts.append(f"```python\n{source}\n```\n")
        if text := text_of(cell["outputs"]):
            parts.append(f"```text\n{text}\n```\n")
        for picture in pictures_of(cell["outputs"]):
            name = f"{target.name}-{len(parts)}.png"
            target.with_name(name).write_bytes(picture)
            parts.append(f"![What the cell above draws]({name})\n")
    return "\n".join([*parts, _DOWNLOAD.format(name=target.name)])


def text_of(outputs: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of a cell's outputs."""
    texts = ("".join(one.get("text") or one.get("data", {}).get(TEXT, "")) for one in outputs)
    return "\n".join(text.rstrip("\n") for text in texts if text)


def pictures_of(outputs: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Return the pictures among a cell's outputs."""
    found = ("".join(one.get("data", {}).get(PICTURE, "")) for one in outputs)
    return [base64.b64decode(picture) for picture in found if picture]
