"""What was found out about a loss at a point: as data for programs, as a section for people."""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

_SHOWN = 8
"""So many numbers of a point or a vector are shown."""


@dataclass(frozen=True)
class Table:
    """Words in rows below a header."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        title: what it is about.
        lines: what was found and its value in words.
        table: what is best laid side by side.
        notes: sentences that say what it means.
    """

    title: str
    lines: Sequence[tuple[str, str]] = ()
    table: Table | None = None
    notes: Sequence[str] = ()


class Finding(ABC):
    """Something that was found out. Subclasses are frozen dataclasses: the fields are the data."""

    @abstractmethod
    def section(self) -> Section:
        """The finding in words."""

    def data(self) -> dict[str, Any]:
        """The finding as plain values, fit for JSON: tensors as lists, what is not finite as null.

        Symbolic expressions are texts.
        """
        fields = dataclasses.fields(self)  # type: ignore[arg-type]  # every subclass is one
        return {field.name: to_json_value(getattr(self, field.name)) for field in fields}


def to_json_value(value: Any) -> Any:
    """A value as JSON has it."""
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
    """A number in words; a dash where there is none."""
    # Adding zero makes a plain one of its negative.
    return "–" if value is None else f"{float(value) + 0.0:.{digits}g}"  # noqa: RUF001


def vector(values: "Tensor | Sequence[float] | None", digits: int = 8) -> str:
    """Numbers (n,) in brackets; the first ones of many."""
    if values is None:
        return number(None)
    words = [number(value, digits) for value in values[:_SHOWN]]
    more = len(values) - len(words)
    return f"({', '.join(words)}{f', … {more} more' if more else ''})"
