"""Generate the page of all losses from conf/loss and the docstrings, with their pictures.

Shapes: M known minimizers, D dimensions.
"""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from optimizer_page import describe_fields, module_of, plain, row, values_of

from gdlab.cli.catalogue import read_choice
from gdlab.config.loading import resolve_choice
from gdlab.errors import SettingError
from gdlab.fields.declared import declared_fields
from gdlab.fields.suggestions import choices_of
from gdlab.losses import Loss
from gdlab.plots.landscape import draw_curve, draw_levels, frame_surface
from gdlab.plots.projection import drawing_plane, view
from gdlab.plots.style import MINIMIZER, panel, png, style
from gdlab.recording.run_plots import landscape_of

_TITLE = """# Losses

All choices of `loss=`; `python -m gdlab --losses` prints the table, `--losses NAME` one of them.
Numbers may differ between the runs of a batch. `transform` stretches, rotates and shifts any of
them. A star marks each known global minimizer; the colors are logarithmic where the loss spans
decades. This page is generated from `conf/loss` and the docstrings.
"""
_SHOWN = 4  # minimizers and coordinates; a list of more is cut


def page(pictures: Path) -> str:
    """Return the page, and draw its pictures into the folder beside it."""
    losses: dict[str, Loss] = {}
    for name in choices_of("loss"):
        try:
            loss = resolve_choice("loss", name)
        except SettingError:  # it needs a class or a module from the user
            continue
        assert isinstance(loss, Loss)
        losses[name] = loss
    by_module: dict[str, list[str]] = {}
    for name, loss in losses.items():
        by_module.setdefault(module_of(type(loss)), []).append(name)
    lines = [_TITLE, *_gallery(losses, pictures), "", *_table(losses), ""]
    for module, names in by_module.items():
        first = (sys.modules[module].__doc__ or "").partition("\n")[0]
        lines += [f"## {first.removesuffix('.')}", ""]
        for name in names:
            lines += [*_section(name, losses[name], pictures), ""]
    return "\n".join(lines).rstrip() + "\n"


def _gallery(losses: dict[str, Loss], pictures: Path) -> Iterator[str]:
    """Draw the losses of one or two variables; yield a picture of each, linked to its section."""
    yield from (":::{container} gallery small", "")
    for name, loss in losses.items():
        if loss.dim <= 2 and loss.window is not None:
            path = pictures / f"{_anchor(name)}.png"
            path.write_bytes(picture(loss))
            shown = f"![The landscape of {name}]({pictures.name}/{path.name})"
            yield f"[{shown}](#{_anchor(name)})\n`{name}`\n"
    yield ":::"


def _table(losses: dict[str, Loss]) -> Iterator[str]:
    """Yield a row for each loss."""
    yield from row("name", "D", "what makes it hard")
    for name, loss in losses.items():
        link = f"[`{name}`](#{_anchor(name)})"
        dim = "any" if "dim" in declared_fields(type(loss)) else str(loss.dim)
        cells = [link, dim, plain(read_choice("loss", name)[1])]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _anchor(name: str) -> str:
    return name.replace("/", "")


def _section(name: str, loss: Loss, pictures: Path) -> Iterator[str]:
    """Yield a docstring, the picture if it was drawn, what is known about a loss, its fields."""
    kind = type(loss)
    prose = inspect.cleandoc(kind.__doc__ or "").partition("\nAttributes:\n")[0]
    yield from (f"### {name}", "", prose.rstrip(), "")
    drawn = pictures / f"{_anchor(name)}.png"
    if drawn.exists():
        yield from (f"![The landscape of {name}]({pictures.name}/{drawn.name})", "")
    yield f"- class: `gdlab.losses.{kind.__name__}`"
    yield f"- start: {_points(torch.as_tensor(loss.start)[None])}"
    if loss.minimizers is not None:
        yield f"- minimizers: {_points(torch.as_tensor(loss.minimizers))}"
    if loss.minimum is not None:
        yield f"- minimum: {float(loss.minimum):.8g}"
    if declared_fields(kind):
        yield ""
        yield from row("setting", "default", "range", "meaning")
    meanings, values = describe_fields(kind), values_of(loss)
    for field_name, field in declared_fields(kind).items():
        allowed = getattr(field, "allowed", "")
        yield from row(f"`{field_name}`", values[field_name], allowed, meanings.get(field_name, ""))


def _points(points: torch.Tensor) -> str:
    """Return points (M, D) as text, long lists cut."""
    texts = []
    for point in points.reshape(-1, points.shape[-1]).tolist()[:_SHOWN]:
        numbers = [f"{number + 0.0:.6g}" for number in point[:_SHOWN]]
        texts.append(f"({', '.join(numbers + ['…'] * (len(point) > _SHOWN))})")
    return ", ".join(texts + ["…"] * (points.shape[0] > _SHOWN))


def picture(loss: Loss) -> bytes:
    """Draw a loss of one or two variables in its window; return a PNG."""
    scene = landscape_of(loss, "")
    at = torch.as_tensor(loss.start).reshape(1, -1).numpy()
    plane = drawing_plane(scene, at)
    box = view(scene, at, plane) if scene.window is None else scene.window
    with style():
        canvas, axes = panel((4.8, 4.0), (0.13, 0.13, 0.68, 0.82))
        if loss.dim == 1:
            draw_curve(axes, scene, plane, box)
        else:
            frame_surface(axes, scene, plane, box)
            draw_levels(axes, scene, plane, box)
        if scene.minimizers is not None:
            points = scene.minimizers.reshape(-1, loss.dim)
            height = scene.value(points) if loss.dim == 1 else points[:, 1]
            axes.plot(points[:, 0], np.asarray(height), **MINIMIZER, zorder=5)
            axes.set(xlim=box[0], **({"ylim": box[1]} if loss.dim == 2 else {}))
        return png(canvas)
