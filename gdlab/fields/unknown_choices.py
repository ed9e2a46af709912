"""The error for a name that is not in a group: what was meant, and how it is typed."""

import difflib
import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath

from gdlab.errors import SettingError
from gdlab.fields.suggestions import choices_of, looks_like_formula
from gdlab.paths import DATA

_GROUPS = {"loss": "a loss", "optimizer": "an optimizer", "schedule": "a schedule"}
_LISTED_BY = {"loss": "python -m gdlab --losses", "optimizer": "python -m gdlab --optimizers"}
"""The commands that list the choices of a group."""

_MOST_LISTED, _FEW, _MOST_SUGGESTED = 20, 4, 3
_LIKE = 0.65
"""Similarity of names, from 0 to 1, from which on one may be meant."""

_OTHER_NAMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "loss": {
        "banana": ("rosenbrock",),
        "bowl": ("quadratic", "sphere"),
        "formula": ("expression",),
        "nn": ("mlp",),
        "network": ("mlp", "module"),
        "neural_network": ("mlp", "module"),
        "l1": ("lasso",),
        "l2": ("ridge",),
        "linear_regression": ("mse",),
        "least_squares": ("mse",),
        "regression": ("mse",),
        "cross_entropy": ("softmax", "logistic"),
        "crossentropy": ("softmax", "logistic"),
        "classification": ("softmax", "logistic"),
        "bce": ("logistic",),
    },
    "optimizer": {
        "gd": ("sgd",),
        "gradient_descent": ("sgd",),
        "none": ("sgd",),
        "null": ("sgd",),
        "conjugate_gradient": ("cg",),
        "lm": ("levenberg_marquardt",),
    },
    "schedule": {"none": ("constant",), "null": ("constant",)},
}
"""Names of choices in other tools and texts."""

_CALL = re.compile(r"[A-Za-z_][\w./]*\(.*\)", re.ASCII)
_FUNCTION = re.compile(r"([A-Za-z_]\w*\.)+[a-z_]\w*", re.ASCII)
_TABLES = {".csv", ".tsv", ".txt", ".dat", ".parquet", ".parq", ".pq", ".xlsx", ".npy", ".npz"}
_COMPRESSED = {".gz", ".bz2", ".xz", ".zst", ".lz4"}


def unknown_choice(
    group: str, given: str, choices: Iterable[str], *, setting: str = ""
) -> SettingError:
    """Return the error for a name that is not in a group.

    Args:
        group: as "loss", or the setting that chooses from it, as "optimizer.inner".
        given: the name.
        choices: the names in the group.
        setting: that gave the name, if it is not called as the group.
    """
    typed = f"{setting or group}={given}"
    for fits, say in _MEANT:
        if fits(group, given):
            return SettingError(f"{typed}: {say(group, given)}")
    names = sorted(choices)
    return SettingError(f"{typed}: no such choice{_suggest(group, given, names)}")


def _suggest(group: str, given: str, names: Sequence[str]) -> str:
    """Return the nearest names, and how to see the others."""
    near = _near(group, given, names)
    first, last = ", ".join(near[:-1]), near[-1:]
    hint = f", did you mean {' or '.join(filter(None, (first, *last)))}?" if near else ""
    return f"{hint} ({list_choices(group, names, few=0 if near else _FEW)})"


def list_choices(group: str, names: Sequence[str], few: int = _FEW) -> str:
    """List the names in a group; of many, a few and the command that lists all."""
    command = _LISTED_BY.get(group.partition(".")[0])
    if len(names) <= _MOST_LISTED or command is None:
        return f"choices: {', '.join(names)}"
    some = f"choices: {', '.join(names[:few])}, …; " if few else ""
    return f"{some}all: {command}"


def _near(group: str, given: str, names: Sequence[str]) -> list[str]:
    """Return the names that may be meant, the most likely first."""
    folder, _, word = given.strip("[]").lower().replace("-", "_").rpartition("/")
    word = word.rpartition(".")[2]
    word = word.removesuffix("lr").removesuffix("loss")
    whole = given.strip("[]").lower()
    same = [name for name in names if name.lower() == whole]
    same = same or [name for name in names if name.lower() == word]
    other = _OTHER_NAMES.get(group, {}).get(word, ())
    if same or not word:
        return same
    if set(other) & {*names}:
        return [name for name in other if name in names]
    by_end: dict[str, list[str]] = {}
    for name in names:
        by_end.setdefault(name.rpartition("/")[2], []).append(name)
    inside = [end for end in by_end if len(word) > 2 and word in end]
    ends = difflib.get_close_matches(word, by_end, n=_MOST_SUGGESTED, cutoff=_LIKE)
    inside.sort(key=lambda end: (not end.startswith(word), len(end)))
    ends = dict.fromkeys([*ends, *inside])
    near = [name for end in ends for name in sorted(by_end[end], key=len)]
    in_folder = [name for name in near if name.rpartition("/")[0] == folder]
    return (in_folder if folder else near)[:_MOST_SUGGESTED]


def _other_group(group: str, given: str) -> str | None:
    """Return the group, other than this one, that has a name."""
    others = (other for other in _GROUPS if other != group in _GROUPS)
    return next((other for other in others if given in choices_of(other)), None)


def _for_other_group(group: str, given: str) -> str:
    other = _other_group(group, given)
    assert other is not None
    return f"{given} is {_GROUPS[other]}; choose {other}={given}"


def _is_formula(group: str, given: str) -> bool:
    return group == "loss" and looks_like_formula(given)


def _for_formula(group: str, given: str) -> str:
    return f"no such choice; a formula is loss=expression {shlex.quote(f'{group}.formula={given}')}"


def _is_list(_: str, given: str) -> bool:
    return given.startswith("[") and given.endswith("]") and "," in given


def _for_list(group: str, given: str) -> str:
    return f"must be one choice; several make a sweep: --multirun {group}={given[1:-1]}"


def _is_several(group: str, given: str) -> bool:
    names = _split(given)
    return group in _GROUPS and len(names) > 1 and {*names} <= {*choices_of(group)}


def _for_several(group: str, given: str) -> str:
    names = _split(given)
    in_python = f"gdlab.sweep({group}={json.dumps(names)})"
    on_line = f"--multirun {group}={','.join(names)}"
    return f"must be one choice; several make a sweep: {on_line}, in Python {in_python}"


def _split(given: str) -> list[str]:
    return [name for name in re.split(r"[\s,;]+", given) if name]


def _is_call(group: str, given: str) -> bool:
    name = given.partition("(")[0]
    is_known = name in choices_of(group) or "." in name  # else a function of Hydra's grammar
    return group in _GROUPS and is_known and _CALL.fullmatch(given) is not None


def _for_call(group: str, given: str) -> str:
    name = given.partition("(")[0]
    own = f"{group}={name} {group}.NAME=VALUE"
    return f"must be a name; settings are words of their own, as {own}"


def _is_all(group: str, given: str) -> bool:
    return given in ("all", "*") and group in _GROUPS


def _for_all(group: str, _: str) -> str:
    return f"must be one choice; all of them make a sweep: --multirun '{group}=glob(*)'"


def _suffix(given: str) -> str:
    path = PurePath(given)
    return PurePath(path.stem if path.suffix in _COMPRESSED else path).suffix.lower()


def _is_data(group: str, given: str) -> bool:
    is_named = given.isidentifier() and (DATA / f"{given}.csv").is_file()
    return group in _GROUPS and (is_named or _suffix(given) in _TABLES)


def _for_data(_: str, given: str) -> str:
    data = shlex.quote(f"loss.data={given}")
    return f"this is data; a model of it is loss=mse {data}, of classes loss=softmax {data}"


def _is_python(group: str, given: str) -> bool:
    return group in _GROUPS and _suffix(given) == ".py"


def _for_python(group: str, given: str) -> str:
    module = ".".join(PurePath(given).with_suffix("").parts).strip("./")
    name = f"My{group.capitalize()}"
    return f"name the class in the file, as {group}={module}.{name} for class {name}"


def _is_function(group: str, given: str) -> bool:
    is_dotted = group in _GROUPS and _FUNCTION.fullmatch(given) is not None
    is_choice = given.rpartition(".")[2] in choices_of(group)  # torch.optim.adam, which is near
    return is_dotted and _suffix(given) != ".yaml" and not is_choice


def _for_function(group: str, given: str) -> str:
    must = f"must be a class, with a capital, as {given.rpartition('.')[0]}.My{group.capitalize()}"
    in_python = f"; a function is a loss in Python: gdlab.run({given}, start=...)"
    return f"{must}{in_python if group == 'loss' else ''}"


_MEANT: Sequence[tuple[Callable[[str, str], bool], Callable[[str, str], str]]] = (
    (_is_formula, _for_formula),
    (lambda group, given: _other_group(group, given) is not None, _for_other_group),
    (_is_list, _for_list),
    (_is_several, _for_several),
    (_is_call, _for_call),
    (_is_all, _for_all),
    (_is_data, _for_data),
    (_is_python, _for_python),
    (_is_function, _for_function),
)
"""What may be given in place of a name: whether it is so, and what to type."""
