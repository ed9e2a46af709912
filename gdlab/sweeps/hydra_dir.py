"""The `.hydra` folder of each run of a sweep, exactly as Hydra's own launcher would have left it.

Dumping a configuration takes Hydra 20 ms; here it is dumped once for a group of runs, with marks in
the place of what differs. The text is cut at its marks once, and each run fills in its own words.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict, read_write

_MARK = "GDLAB-MARK-{}"
_MARKED = re.compile(r"^( *)([^\n]*?)GDLAB-MARK-([\w.]+)$", re.MULTILINE)
_SURE = re.compile(r"[A-Za-z_][\w./-]*=[\w./-]+(,[A-Za-z_][\w./-]*=[\w./-]+)*")
_PATH = re.compile(r"(/[\w.=,-]+)+")
_NUMBER = 987654321987654321  # the mark of a field that Hydra allows only whole numbers in


@dataclass(frozen=True)
class Template:
    """The texts of a group's files, with marks where its runs differ.

    Attributes:
        config: of config.yaml; marks are the keys of the settings that differ.
        hydra: of hydra.yaml; marks are job, name, directory and the places of the overrides.
        kv_sep: what stands for = in a run's overrides as a name.
        item_sep: what stands between them.
        exclude_keys: settings that are left out there.
    """

    config: str
    hydra: str
    kv_sep: str = "="
    item_sep: str = ","
    exclude_keys: Sequence[str] = ()

    @classmethod
    def of(cls, config: DictConfig, varying: Sequence[str]) -> "Template":
        """The template of a composed configuration.

        Args:
            config: of one of the runs, its `hydra` node included.
            varying: the settings that differ between them.
        """
        task = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        own = OmegaConf.masked_copy(config, "hydra")
        with read_write(own), open_dict(own):
            job, runtime = own.hydra.job, own.hydra.runtime
            for node in (job, runtime, own.hydra.overrides):
                OmegaConf.set_readonly(node, False)
            job.id = _MARK.format("id")
            job.num = _NUMBER
            job.override_dirname = _MARK.format("dirname")
            runtime.output_dir = _MARK.format("directory")
            count = len(own.hydra.overrides.task)
            own.hydra.overrides.task = [_MARK.format(f"override.{i}") for i in range(count)]
        for key in varying:
            OmegaConf.update(task, key, _MARK.format(key), force_add=True)
        naming: dict[str, Any] = dict(job.config.override_dirname)
        naming["exclude_keys"] = list(naming["exclude_keys"])
        return cls(OmegaConf.to_yaml(task), OmegaConf.to_yaml(own), **naming)

    def write(self, folder: Path, run: "RunWords") -> None:
        """Write a run's `.hydra` folder."""
        folder.mkdir(parents=True)
        own = {f"override.{i}": text for i, text in enumerate(run.overrides)}
        own |= {"id": str(run.number), "number": run.number, "directory": run.directory}
        own["dirname"] = self._name(run.overrides)
        lines = "".join(_line("", "- ", text) + "\n" for text in run.overrides) or "[]\n"
        (folder / "config.yaml").write_bytes(_filled(self._config, run.values).encode())
        (folder / "hydra.yaml").write_bytes(_filled(self._hydra, own).encode())
        (folder / "overrides.yaml").write_bytes(lines.encode())

    @cached_property
    def _config(self) -> list[str]:
        return _MARKED.split(self.config)

    @cached_property
    def _hydra(self) -> list[str]:
        return _MARKED.split(self.hydra.replace(str(_NUMBER), _MARK.format("number")))

    def _name(self, overrides: Sequence[str]) -> str:
        """A run's overrides as a name."""
        keys = (re.split("[@=]", text.lstrip("+~"), maxsplit=1)[0] for text in overrides)
        pairs = zip(keys, overrides, strict=True)
        named = [text for key, text in pairs if key not in self.exclude_keys]
        return self.item_sep.join(sorted(named)).replace("=", self.kv_sep)


@dataclass(frozen=True)
class RunWords:
    """What one run fills into its group's template.

    Attributes:
        number: of the run in the sweep.
        overrides: of the run, as Hydra writes them, without those of Hydra itself.
        directory: the absolute path of the run's directory.
        values: of the settings that differ, by dotted name.
    """

    number: int
    overrides: Sequence[str]
    directory: str
    values: Mapping[str, Any]


def _filled(parts: Sequence[str], values: Mapping[str, Any]) -> str:
    """A text with the values in the place of its marks.

    Args:
        parts: the text before the first mark; then, for each, the indentation of its line, what
            stands before it there, its key, and the text behind it.
        values: by the keys of the marks.
    """
    text, *marks = parts
    filled = [text]
    for indent, before, key, behind in zip(*(marks[part::4] for part in range(4)), strict=True):
        filled += (_entry(indent, before, values[key]), behind)
    return "".join(filled)


def _entry(indent: str, before: str, value: Any) -> str:
    """A value as YAML behind its key, a list in lines of its own."""
    if not isinstance(value, (list, tuple)):
        return _line(indent, before, value)
    items = "".join(f"\n{_line(indent, '- ', item)}" for item in value)
    return f"{indent}{before.rstrip()}{items}"


def _line(indent: str, before: str, value: Any) -> str:
    """A plain value as YAML behind its key or dash, by hand where that is sure to be the same."""
    if isinstance(value, str) and (_SURE.fullmatch(value) or _PATH.fullmatch(value)):
        return f"{indent}{before}{value}"
    if isinstance(value, str) and value.isdecimal() and value.isascii():
        return f"{indent}{before}'{value}'"
    if isinstance(value, float) and math.isfinite(value):
        text = repr(value)
        return f"{indent}{before}{text if '.' in text else text.replace('e', '.0e')}"
    return f"{indent}{before}{value if type(value) is int else _dumped(indent, before, value)}"


def _dumped(indent: str, before: str, value: Any) -> str:
    """A value as Hydra dumps it where it stands: a long text is broken by its column."""
    key = "k" * (len(before) - 2)
    node: Any = {"k": [value]} if before == "- " else {key: value}
    for _ in range(len(indent) // 2):
        node = {"k": node}
    above = len(indent) // 2 + (before == "- ")
    text = OmegaConf.to_yaml(OmegaConf.create(node)).split("\n", above)[-1]
    return text[len(indent + before) : -1]
