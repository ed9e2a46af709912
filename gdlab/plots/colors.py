"""The colors of a sweep: one look for each label, made once and handed to all of its pictures.

The colors are darker than the pale surface behind them. Numbers grow lighter with their rank, so
that they differ in gray and for the color-blind; the rest also differs by its marker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from gdlab.plots.style import draw_names

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

# Okabe and Ito's colors without the blues, which the surface uses, and others that stay apart from
# them for the color-blind. The viewer has the same (gdlab/viewer/page/colors.js).
CATEGORIES = (
    ("#d55e00", "o"),
    ("#222222", "s"),
    ("#009e73", "D"),
    ("#9b2f8f", "P"),
    ("#e69f00", "X"),
    ("#7a4a1e", ">"),
    ("#e377a8", "<"),
    ("#750bc8", "h"),
)
MOST = len(CATEGORIES)
"""The number of curves in one panel; more get a panel each, or a bar if they are numbers."""
ALONE = "#c8102e"
"""The color of a curve that has a panel to itself."""
_RAMP = (0.06, 0.76)  # of inferno, whose yellow would be hard to see on the surface
_HUGE = 1e300
_MAX_TICKS = 9

Value: TypeAlias = float | str


@dataclass(frozen=True)
class Palette:
    """One color and marker for each value of what tells the runs of a sweep apart.

    Attributes:
        setting: the name of what tells them apart.
        values: the different values: numbers in increasing order, or texts.
        is_numeric: whether they are numbers.
    """

    setting: str
    values: tuple[Value, ...]
    is_numeric: bool = False

    @classmethod
    def of(cls, setting: str, values: Iterable[Value]) -> Palette:
        """Return the palette of some values, with repetitions.

        They are texts if one of them is a text or not finite, or if all are the same number.
        """
        given = list(values)  # of a sweep of seeds perhaps a million
        if not any(isinstance(value, str) for value in given):
            numbers = np.unique(np.array(given, dtype=np.float64))
            if len(numbers) > 1 and (np.abs(numbers) < _HUGE).all():
                del given
                return cls(setting, tuple(numbers.tolist()), is_numeric=True)
        return cls(setting, tuple(dict.fromkeys(map(text_of, given))))

    @property
    def has_bar(self) -> bool:
        """Whether there are too many numbers for a legend, so that a bar shows their colors."""
        return self.is_numeric and len(self.values) > MOST

    @property
    def is_split(self) -> bool:
        """Whether there are too many texts for colors, so that each gets a panel."""
        return not self.is_numeric and len(self.values) > MOST

    def color(self, value: Value) -> Any:
        """Return the color of a value for matplotlib."""
        if self.is_split:
            return ALONE
        if self.is_numeric:
            return ramp()(self._rank(value) / (len(self.values) - 1))
        return CATEGORIES[self._rank(value)][0]

    def marker(self, value: Value) -> str:
        """Return the marker of a value."""
        return "o" if self.has_bar or self.is_split else CATEGORIES[self._rank(value)][1]

    def name(self, value: Value) -> str:
        """Return the name of a value in a legend, such as `momentum = 0.5`."""
        return f"{self.setting} = {text_of(value)}" if self.is_numeric else text_of(value)

    def full_name(self, value: Value) -> str:
        """Return the name of a value where no legend says of which setting it is."""
        name = self.name(value)
        return name if " = " in name else f"{self.setting} = {name}"

    def key(self, value: Value) -> Value:
        """Return a value as it stands in `values`."""
        return value if self.is_numeric else text_of(value)

    def _rank(self, value: Value) -> int:
        return self.values.index(self.key(value))

    def handles(self, values: Iterable[Value]) -> list[Line2D]:
        """Return what a legend shows of some values."""
        from matplotlib.lines import Line2D

        look = {"markeredgecolor": "white", "markersize": 7, "linewidth": 1.3}
        return [
            Line2D([], [], color=self.color(v), marker=self.marker(v), label=self.name(v), **look)
            for v in values
        ]

    def draw_key(self, figure: Figure, axes: Sequence[Any], further: Sequence[Any] = ()) -> None:
        """Draw the bar or the legend below the panels of a constrained figure.

        Args:
            figure: the figure.
            axes: its panels.
            further: marks for the legend besides those of the values.
        """
        own = [] if self.has_bar or self.is_split else self.handles(self.values)
        if self.has_bar:
            self._draw_bar(figure, axes)
        if own or further:
            draw_names(figure, [*own, *further])

    def _draw_bar(self, figure: Figure, axes: Sequence[Any]) -> None:
        """Draw a bar with the colors in the order of the values, and some values under it."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        last = len(self.values) - 1
        colors = ScalarMappable(Normalize(0, last), ramp())
        bar = figure.colorbar(colors, ax=list(axes), location="bottom", aspect=45, pad=0.03)
        ticks = np.unique(np.linspace(0, last, min(_MAX_TICKS, last + 1)).round().astype(int))
        bar.set_ticks(ticks.tolist(), labels=[f"{self.values[i]:.3g}" for i in ticks])
        bar.ax.tick_params(labelsize=8, length=3)
        bar.ax.set_xlabel(self.setting, size=9, labelpad=2, parse_math=False)


def text_of(value: Value) -> str:
    """Return a value as a text, numbers with up to six digits."""
    return value if isinstance(value, str) else f"{value:.6g}"


def ramp() -> Colormap:
    """Return inferno without its ends: from near black through red to orange."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["inferno"](np.linspace(*_RAMP, 256)))
