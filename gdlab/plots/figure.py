"""A figure that shows itself in a notebook. Imports matplotlib; `style.new_figure` makes one."""

from matplotlib.figure import Figure

from gdlab.plots.style import render


class Picture(Figure):
    """A matplotlib figure that pyplot does not know, so that a notebook shows it once."""

    def _repr_png_(self) -> bytes:
        return render(self, "png")
