"""Which formats of pictures a setting names."""

from collections.abc import Sequence

from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value
from gdlab.plots.style import FORMATS


def formats_of(figures: bool | str | Sequence[str], usual: Sequence[str]) -> tuple[str, ...]:
    """Return the formats that the setting `figures` names; empty for no pictures.

    >>> formats_of("svg, pdf", usual=["png"]), formats_of(True, usual=["png"])
    (('svg', 'pdf'), ('png',))

    Args:
        figures: names, as a list or with commas between them; True for the usual ones, False for
            none.
        usual: the formats that True stands for.

    Raises:
        SettingError: a name is no format, or there is none.
    """
    if isinstance(figures, bool):
        return tuple(usual) if figures else ()
    given = figures.split(",") if isinstance(figures, str) else figures
    names = tuple(dict.fromkeys(name.strip() for name in given))
    if not names or not set(names) <= set(FORMATS):
        rule = f"must be true, false, or some of {', '.join(FORMATS)}, as in figures=png,svg"
        raise SettingError(f"figures={format_value(figures)}: {rule}")
    return names
