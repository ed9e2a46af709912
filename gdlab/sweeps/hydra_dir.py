"""The `.hydra` folder of each run of a sweep, exactly as Hydra's own launcher would write it.

Hydra takes 20 ms to dump a configuration. So it is dumped once for a group of runs, with marks in
place of what differs (`gdlab.cli.hydra_template`). The text is split at its marks once, and each
run fills in its own values.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gdlab.config.yaml_text import to_yaml

NUMBER_MARK = 987654321987654321
"""The mark of a run's number, in a field that Hydra restricts to integers."""

_MARKED = re.compile(r"^( *)([^\n]*?)GDLAB-MARK-([\w.]+)$", re.MULTILINE)
_MARKED_IN_NAME = re.compile(r"GDLAB-MARK-([\w.]+);")
_PLAIN = (  # strings that YAML writes without quotes: overrides and paths
    re.compile(r"[A-Za-z_][\w./-]*=[\w./-]+(,[A-Za-z_][\w./-]*=[\w./-]+)*"),
    re.compile(r"(/[\w.=,-]+)+"),
)


def mark(key: str) -> str:
    """Return the mark of a value in the text of a template."""
    return f"GDLAB-MARK-{key}"


def mark_in_name(key: str) -> str:
    """Return the mark of a value in the name of a directory, where more text may follow."""
    return f"{mark(key)};"


@dataclass(frozen=True)
class Template:
    """The texts of a group's files, with marks where its runs differ.

    The attributes kv_sep, item_sep and exclude_keys are Hydra's settings
    `hydra.job.config.override_dirname`.

    Attributes:
        config: the text of config.yaml, with the keys of the settings that differ as marks.
        hydra: the text of hydra.yaml, with the marks id, number, dirname, directory and
            override.0, override.1, …
        kv_sep: replaces = in the name that a run's overrides make.
        item_sep: separates the overrides in this name.
        exclude_keys: settings that are left out of this name.
        subdir: the directories of the runs, with marks; None for the names that gdlab gives.
        folder: the folder of the files in a run's directory; None for no files.
        numbers: of the plan's runs in the sweep; empty where they are the same.
    """

    config: str
    hydra: str
    kv_sep: str = "="
    item_sep: str = ","
    exclude_keys: Sequence[str] = ()
    subdir: str | None = None
    folder: str | None = ".hydra"
    numbers: Sequence[int] = field(default_factory=list)

    def write(self, directory: Path, run: "RunWords") -> None:
        """Write the files of a run into its directory."""
        if self.folder is None:
            return
        folder = directory / self.folder
        try:
            folder.mkdir()
        except OSError:  # it exists, or is a path of several folders
            folder.mkdir(parents=True, exist_ok=True)
        job = self._job(run) | {"directory": str(directory.absolute())}
        job |= {f"override.{i}": text for i, text in enumerate(run.overrides)}
        lines = "".join(_format_line("", "- ", text) + "\n" for text in run.overrides) or "[]\n"
        (folder / "config.yaml").write_bytes(_fill(self._config, run.values).encode())
        (folder / "hydra.yaml").write_bytes(_fill(self._hydra, job).encode())
        (folder / "overrides.yaml").write_bytes(lines.encode())

    def name(self, run: "RunWords") -> str | None:
        """Return the directory of a run in that of its sweep; None if gdlab is to name it."""
        if self.subdir is None:
            return None
        values = {**run.values, **self._job(run)}
        return _MARKED_IN_NAME.sub(lambda found: str(values[found[1]]), self.subdir)

    def _job(self, run: "RunWords") -> dict[str, Any]:
        number = self.numbers[run.number] if self.numbers else run.number
        return {"id": str(number), "number": number, "dirname": self._dirname(run.overrides)}

    @cached_property
    def _config(self) -> list[str]:
        return _MARKED.split(self.config)

    @cached_property
    def _hydra(self) -> list[str]:
        return _MARKED.split(self.hydra.replace(str(NUMBER_MARK), mark("number")))

    def _dirname(self, overrides: Sequence[str]) -> str:
        """Join a run's overrides to a name, as Hydra does for `hydra.job.override_dirname`."""
        keys = (re.split("[@=]", text.lstrip("+~"), maxsplit=1)[0] for text in overrides)
        pairs = zip(keys, overrides, strict=True)
        kept = [text for key, text in pairs if key not in self.exclude_keys]
        return self.item_sep.join(sorted(kept)).replace("=", self.kv_sep)


@dataclass(frozen=True)
class RunWords:
    """The values that one run fills into its group's template.

    Attributes:
        number: of the run in the plan.
        overrides: of the run as Hydra writes them, without those of `hydra` itself.
        values: of the settings that differ, by dotted name.
    """

    number: int
    overrides: Sequence[str]
    values: Mapping[str, Any]


def _fill(parts: Sequence[str], values: Mapping[str, Any]) -> str:
    """Return a text with values in place of its marks.

    Args:
        parts: the text before the first mark; then for each mark the indentation of its line, the
            text before it on the line, its key, and the text after it.
        values: by the keys of the marks.
    """
    text, *marks = parts
    filled = [text]
    for indent, before, key, after in zip(*(marks[part::4] for part in range(4)), strict=True):
        filled += (_format_entry(indent, before, values[key]), after)
    return "".join(filled)


def _format_entry(indent: str, before: str, value: Any) -> str:
    """Return a value as YAML after its key, a list on lines of its own."""
    if not isinstance(value, (list, tuple)):
        return _format_line(indent, before, value)
    items = "".join(f"\n{_format_line(indent, '- ', item)}" for item in value)
    return f"{indent}{before.rstrip()}{items}"


def _format_line(indent: str, before: str, value: Any) -> str:
    """Return a plain value as YAML after its key or dash; dump it only if it may need quotes."""
    if isinstance(value, str) and any(plain.fullmatch(value) for plain in _PLAIN):
        return f"{indent}{before}{value}"
    if isinstance(value, str) and value.isdecimal() and value.isascii():
        return f"{indent}{before}'{value}'"
    if isinstance(value, float) and math.isfinite(value):
        text = repr(value)
        return f"{indent}{before}{text if '.' in text else text.replace('e', '.0e')}"
    return f"{indent}{before}{value if type(value) is int else _dump(indent, before, value)}"


def _dump(indent: str, before: str, value: Any) -> str:
    """Dump a value as Hydra does at this position: where a long string breaks depends on it."""
    key = "k" * (len(before) - 2)
    node: Any = {"k": [value]} if before == "- " else {key: value}
    for _ in range(len(indent) // 2):
        node = {"k": node}
    above = len(indent) // 2 + (before == "- ")
    text = to_yaml(node).split("\n", above)[-1]
    return text[len(indent + before) : -1]
