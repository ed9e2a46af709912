"""Results about a loss at a point: data for programs, and a section of the report."""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

_SHOWN = 8
"""Maximum count of numbers of a vector that are printed."""


@dataclass(frozen=True)
class Table:
    """Rows of text below a header."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """A section of the printed report.

    Attributes:
        title: the heading.
        lines: pairs of a name and a value.
        table: values side by side.
        notes: sentences that interpret the values.
        legend: one line on what the columns of the table mean.
    """

    title: str
    lines: Sequence[tuple[str, str]] = ()
    table: Table | None = None
    notes: Sequence[str] = ()
    legend: str = ""


class Finding(ABC):
    """A result. Subclasses are frozen dataclasses, whose fields are the data."""

    @abstractmethod
    def section(self) -> Section:
        """Format the result as a section of the report."""

    def data(self) -> dict[str, Any]:
        """Return the result as values for JSON.

        Tensors become lists, numbers that are not finite null, symbolic expressions strings.
        """
        fields = dataclasses.fields(self)  # type: ignore[arg-type]  # every subclass is a dataclass
        return {field.name: to_json_value(getattr(self, field.name)) for field in fields}


def to_json_value(value: Any) -> Any:
    """Convert a value to one that JSON can hold."""
    if isinstance(value, Finding):
        return value.data()
    if dataclasses.is_dataclass(value):
        return {f.name: to_json_value(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Tensor):
        return to_json_value(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): to_json_value(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_json_value(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def number(value: "float | Tensor | None", digits: int = 8) -> str:
    """Format a number; a dash for None."""
    # Adding zero turns −0 into 0.
    return "–" if value is None else f"{float(value) + 0.0:.{digits}g}"  # noqa: RUF001


def vector(values: "Tensor | Sequence[float] | None", digits: int = 8) -> str:
    """Format numbers (n,) in parentheses; only the first ones of many, a dash for None."""
    if values is None:
        return number(None)
    words = [number(value, digits) for value in values[:_SHOWN]]
    more = len(values) - len(words)
    return f"({', '.join(words)}{f', … {more} more' if more else ''})"
