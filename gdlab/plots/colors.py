"""The colors of the runs of a sweep, and their key.

The colors are darker than the pale surface behind them and grow lighter with the value, so that
they differ in gray and for the color-blind; categories also differ by their marker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.plots.style import INK

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

# Okabe and Ito's colors without the blues, which the surface uses.
CATEGORIES = (
    ("#d55e00", "o"),
    ("#222222", "s"),
    ("#009e73", "D"),
    ("#9b2f8f", "P"),
    ("#e69f00", "X"),
    ("#7a4a1e", ">"),
    ("#e377a8", "<"),
    ("#b8a800", "h"),
)
_OTHER = ("#888888", "o")
_RAMP = (0.06, 0.76)  # of inferno, whose yellow would be hard to see on the surface
_MAX_NAME = 28  # characters of a category
_ROW_WIDTH, _KEY_WIDTH = 92, 8  # of the legend, in characters
_HUGE = 1e300  # ticks of larger numbers overflow
_SAME = 1e-9  # relative: ticks of closer numbers look alike
_MIN_TICKS, _MAX_TICKS = 3, 9


@dataclass(frozen=True)
class Colors:
    """The color scale of M runs: a ramp for numbers, categories for texts.

    Attributes:
        values: (M,) numbers, or the names of M categories.
        categories: At most 8 names; empty for numbers.
        is_log: Whether the ramp is logarithmic.
    """

    values: Sequence[float] | Sequence[str]
    categories: tuple[str, ...] = ()
    is_log: bool = False

    @classmethod
    def of(cls, values: Sequence[float | str], *, is_log: bool) -> Colors:
        """Return a scale for values.

        They are categories if one of them is a text or not finite, or if all are the same number.
        The first 8 categories have their own colors; the rest is "other".
        """
        numbers = [float(v) for v in values if not isinstance(v, str)]
        largest = float(np.abs(numbers).max(initial=0.0))
        all_finite = len(numbers) == len(values) and largest < _HUGE
        if not (all_finite and max(numbers) - min(numbers) > _SAME * largest):
            names = [v if isinstance(v, str) else f"{v:.6g}" for v in values]
            return cls(names, tuple(dict.fromkeys(names))[: len(CATEGORIES)])
        return cls(numbers, is_log=is_log and min(numbers) > 0)

    def color(self, run: int) -> Any:
        """Return the color of a run for matplotlib."""
        if self.categories:
            return self._category(run)[0]
        numbers = np.asarray(self.values, dtype=float)
        scaled = np.log(numbers) if self.is_log else numbers / np.abs(numbers).max()
        low, high = scaled.min(), scaled.max()
        return ramp()((scaled[run] - low) / (high - low) if high > low else 0.5)

    def marker(self, run: int) -> str:
        """Return the marker of a run's last point."""
        return self._category(run)[1] if self.categories else "o"

    def _category(self, run: int) -> tuple[str, str]:
        name = self.values[run]
        return CATEGORIES[self.categories.index(name)] if name in self.categories else _OTHER

    def draw_key(
        self, figure: Figure, setting: str, box: tuple[float, float, float, float]
    ) -> None:
        """Draw a bar in a box (left, bottom, width, height) of the figure, or a legend there."""
        if self.categories:
            self._draw_legend(figure, setting, box)
        else:
            self._draw_bar(figure, setting, box)

    def _draw_bar(
        self, figure: Figure, setting: str, box: tuple[float, float, float, float]
    ) -> None:
        numbers = np.unique(np.asarray(self.values, dtype=float))
        low, high = float(numbers[0]), float(numbers[-1])
        axes = figure.add_axes(box)
        shades = ramp()(np.linspace(0, 1, 256))[None]
        axes.imshow(shades, extent=(0, 1, 0, 1), aspect="auto", transform=axes.transAxes)
        axes.set_xlim(low, high)  # before the scale: the image starts at 0, which has no logarithm
        axes.set_xscale("log" if self.is_log else "linear")
        axes.set(xlim=(low, high), ylim=(0, 1), yticks=[])
        axes.minorticks_off()
        ticks = round_ticks(low, high, is_log=self.is_log)
        axes.set_xticks(ticks, [f"{tick:.6g}" for tick in ticks])
        axes.tick_params(labelsize=8, length=3)
        axes.vlines(numbers[1:-1], 0, 1, color="white", linewidth=0.6, alpha=0.8)
        axes.set_xlabel(setting, size=9, labelpad=2, parse_math=False)

    def _draw_legend(
        self, figure: Figure, setting: str, box: tuple[float, float, float, float]
    ) -> None:
        from matplotlib.lines import Line2D

        looks = dict(zip(self.categories, CATEGORIES, strict=False))
        if any(name not in looks for name in self.values):
            looks["other"] = _OTHER
        names = [n if len(n) <= _MAX_NAME else n[: _MAX_NAME - 1] + "…" for n in looks]
        kind: dict[str, Any] = {"markeredgecolor": "white", "markersize": 7, "linewidth": 1.3}
        legend = figure.legend(
            [Line2D([0], [0], color=c, marker=m, **kind) for c, m in looks.values()],
            names,
            title=setting,
            loc="upper center",
            bbox_to_anchor=(0.5, box[1] + box[3] + 0.017),
            ncols=max(1, min(len(names), _ROW_WIDTH // (max(map(len, names)) + _KEY_WIDTH))),
            frameon=False,
            fontsize=8.5,
            title_fontsize=9,
            columnspacing=1.6,
            labelspacing=0.2,
        )
        for text in (*legend.get_texts(), legend.get_title()):
            text.set_parse_math(False)
            text.set_color(INK)


def ramp() -> Colormap:
    """Return inferno without its ends: from near black through red to orange."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["inferno"](np.linspace(*_RAMP, 256)))


def round_ticks(low: float, high: float, *, is_log: bool) -> np.ndarray:
    """Return 2 to 9 round numbers from low to high, for a logarithmic scale where `is_log`."""
    if not is_log:
        from matplotlib.ticker import MaxNLocator

        ticks = np.asarray(MaxNLocator(_MAX_TICKS - 2).tick_values(low, high))
        return ticks[(ticks >= low) & (ticks <= high)]
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    decade_step = -(-(last - first) // _MAX_TICKS)
    choices: tuple[tuple[int, ...], ...] = ((1,), (1, 2, 5), tuple(range(1, 10)))
    for leading in choices:
        decades = range(first, last + 1, decade_step if leading == (1,) else 1)
        ticks = [float(f"{k}e{decade}") for decade in decades for k in leading]
        ticks = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if len(ticks) >= _MIN_TICKS:
            return np.array(ticks)
    return np.array([low, high])
