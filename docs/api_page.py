"""Generate a page for each public module; Sphinx fills in the docstrings."""

import importlib
from pathlib import Path

MODULES = {
    "gdlab": "Run, sweep, read back, and the bases of own classes.",
    "gdlab.bench": "Compare optimizers; the module itself can be called, as `gdlab.bench(...)`.",
    "gdlab.derivatives": "Reports on the derivatives of a loss at a point.",
    "gdlab.losses": "The losses.",
    "gdlab.optimizers": "The optimizers.",
    "gdlab.schedules": "Schedules of the learning rate.",
    "gdlab.theory": "Stability limits and rates of convergence.",
}


def write(folder: Path) -> None:
    """Write a page for each module, with all names of its `__all__`, and one that lists them."""
    rows = [f"- [`{name}`]({name}.md): {what}" for name, what in MODULES.items()]
    toctree = "\n".join(["```{toctree}", ":hidden:", "", *MODULES, "```", ""])
    text = "\n".join(["# Python", "", *rows, "", toctree])
    (folder / "index.md").write_text(text, encoding="utf-8")
    for name in MODULES:
        (folder / f"{name}.md").write_text(page(name), encoding="utf-8")


def page(module: str) -> str:
    """Return the page of a module."""
    names = sorted(importlib.import_module(module).__all__, key=str.lower)
    lines = [f"# {module}", "", MODULES[module], "", "```{eval-rst}", f".. module:: {module}", ""]
    for name in names:
        found = getattr(importlib.import_module(module), name)
        directive = (
            "autoclass"
            if isinstance(found, type)
            else "autofunction"
            if callable(found)
            else "autodata"
        )
        lines += [f".. {directive}:: {module}.{name}"]
        lines += ["   :members:", ""] if directive == "autoclass" else [""]
    return "\n".join([*lines, "```", ""])
