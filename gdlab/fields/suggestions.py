"""The nearest name to a mistyped one, and the errors for unknown settings that suggest it."""

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

from gdlab.errors import SettingError
from gdlab.paths import CONF

_FORMULA = re.compile(
    r"\w\s*(\*\*?|\^|\+|-|/\d)\s*[\w(]|\w[²³]"
    r"|\b(sin|cos|tan|exp|log|ln|sqrt|abs|tanh|max|min)\("
)
_OTHER_NAMES = {
    "learning_rate": "lr",
    "eta": "lr",
    "step_size": "lr",
    "epochs": "steps",
    "iterations": "steps",
    "max_iter": "steps",
    "max_steps": "steps",
    "n_steps": "steps",
    "opt": "optimizer",
    "optim": "optimizer",
    "objective": "loss",
    "function": "loss",
    "scheduler": "schedule",
    "lr_scheduler": "schedule",
    "x0": "start",
    "start": "at",
    "point": "at",
    "plot": "draw",
    "init": "start",
    "initial": "start",
    "tol": "stop.grad_tol",
    "gtol": "stop.grad_tol",
    "beta": "optimizer.momentum",
    "beta1": "optimizer.betas",
    "beta2": "optimizer.betas",
    "n": "loss.dim",
    "kappa": "loss.condition",
    "cond": "loss.condition",
    "gpu": "cuda",
    "double": "float64",
    "float": "float32",
    "single": "float32",
    "half": "float32",
    "float16": "float32",
    "fp32": "float32",
    "f32": "float32",
    "fp64": "float64",
    "f64": "float64",
    "bfloat16": "float32",
}
"""Names of settings, and of some of their values, in other tools and texts."""

_FAMILIES = (
    ("momentum", "betas", "beta", "beta1", "beta2", "mu"),
    ("weight_decay", "wd", "l2", "penalty"),
    ("eps", "epsilon"),
    ("widths", "hidden", "layers", "hidden_sizes", "hidden_layers", "layer_sizes"),
    ("alpha", "rho", "decay", "gamma"),
)
"""Names that different optimizers, schedules and losses have for the same thing."""

_EXPLAINED = {
    "epochs": "steps are counted: an epoch of N examples is N / loss.batch_size steps",
    **dict.fromkeys(
        ("directory", "dir", "folder", "out", "output", "output_dir", "logdir", "log_dir"),
        "the folder of a run is hydra.run.dir=… on a command line, directory=… in Python",
    ),
}
"""What takes the place of settings of other tools."""

_GROUPS = ("loss", "optimizer", "schedule")
_WELL_KNOWN = ("mse", "adam")
"""Named first among the choices that have a setting."""

_MOST_OWNERS = 5
_LONGEST_LIST = 120


def did_you_mean(given: str, names: Iterable[str]) -> str:
    """Return ", did you mean …?" with the nearest dotted name; empty if none is near."""
    name = nearest(given, names)
    return f", did you mean {name}?" if name else ""


def nearest(given: str, names: Iterable[str]) -> str:
    """Return the nearest dotted name to one that does not exist; empty if none is near."""
    known, given = sorted(names), given.replace("-", "_")
    same = next((name for name in known if _joined(name) == _joined(given)), "")
    if same:
        return same
    node, _, last = given.rpartition(".")
    synonym = _OTHER_NAMES.get(last.lower(), "")
    siblings = {name.rpartition(".")[2]: name for name in known if name.rpartition(".")[0] == node}
    anywhere = {name.rpartition(".")[2]: name for name in reversed(known)}
    for meant, candidates in (
        (synonym, dict.fromkeys(known)),
        (synonym.rpartition(".")[2], siblings),
    ):
        if meant in candidates:
            return candidates[meant] or meant
    related = _related(node, last.lower(), known)
    if related:
        return related
    inside = {name.rpartition("/")[2]: name for name in known if "/" in name}
    for candidates in (siblings, anywhere, inside):
        near = difflib.get_close_matches(last, candidates, n=1, cutoff=0.65)
        if near:
            return candidates[near[0]]
    return ""


def _joined(name: str) -> str:
    """Return a name in which all marks between words are alike, as record.every, record_every."""
    return re.sub(r"[._]+", "_", name).lower()


def _related(node: str, name: str, known: Iterable[str]) -> str:
    """Return the setting of a chosen loss, optimizer or schedule with another name for the same."""
    nodes = (node,) if node else _GROUPS
    family = next((family for family in _FAMILIES if name in family), ())
    others = (f"{each}.{other}" for each in reversed(nodes) for other in family if other != name)
    return next((other for other in others if other in known), "")


def usual_name(given: str) -> str:
    """Return the name that a setting of another tool has here, or the name itself."""
    return _OTHER_NAMES.get(given, given)


def choices_of(group: str) -> list[str]:
    """Return the names in a group of `conf`, sorted."""
    folder = CONF / group
    return sorted(p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.yaml"))


def looks_like_formula(text: str) -> bool:
    """Return whether a text has operators or functions as in a formula, such as x**2 or sin(x)."""
    return _FORMULA.search(text) is not None


def unknown_setting(key: str, given: str, known: Iterable[str]) -> SettingError:
    """Return the error for a setting that does not exist."""
    names = sorted(known)
    last = key.rpartition(".")[2]
    if last in _EXPLAINED:
        return SettingError(f"{key}={given}: no such setting; {_EXPLAINED[last]}")
    has_name = any(n.rpartition(".")[2] == last for n in names)
    owners = None if has_name else _owners(key, names)
    if owners is None:
        hint = did_you_mean(key, names)
        others = _siblings(key, names)
        others = "" if hint and len(others) > _LONGEST_LIST else others
        return SettingError(f"{key}={given}: no such setting{hint}{others}")
    group = _related(key.rpartition(".")[0], last, names).partition(".")[0] or owners.group
    full = f"{group}.{last}"
    own = [name for name in names if name.startswith(f"{group}.")]
    about = f"{did_you_mean(full, own)}{_siblings(full, own)}"
    return SettingError(f"{key}={given}: no such setting here{about}; {owners.say(last, given)}")


class _Owners(NamedTuple):
    """The choices of a group that have a setting."""

    group: str
    choices: list[str]

    def say(self, name: str, given: str) -> str:
        """Say which they are, and how one of them is given the setting."""
        known = (choice for choice in (name, *_WELL_KNOWN) if choice in self.choices)
        best = next(known, min(self.choices, key=len))
        others = [choice for choice in self.choices if choice != best]
        few = ", ".join([best, *others[: _MOST_OWNERS - 1]])
        more = f"{few}, …" if len(self.choices) > _MOST_OWNERS else few
        have = "has" if len(self.choices) == 1 else "have"
        return f"{more} {have} it: {self.group}={best} {self.group}.{name}={given}"


def _owners(key: str, known: Iterable[str]) -> _Owners | None:
    """Find the losses, optimizers or schedules that have a setting; None where none has it.

    Args:
        key: the setting.
        known: the settings of the command, which may have no optimizer and no schedule.
    """
    node, _, name = key.rpartition(".")
    nodes = {each.partition(".")[0] for each in known}
    for group in _GROUPS:
        if node not in ("", group) or group not in nodes or not name.isidentifier():
            continue
        declared = re.compile(rf"^{name}:", re.MULTILINE)
        files = {choice: CONF / group / f"{choice}.yaml" for choice in choices_of(group)}
        found = [name for name, file in files.items() if declared.search(file.read_text("utf-8"))]
        if found:
            return _Owners(group, found)
    return None


def missing_setting(key: str, given: str, owner: str, known: Iterable[str]) -> SettingError:
    """Return the error for a setting that one of several choices, the owner, does not have."""
    siblings = _siblings(key, sorted(known))
    return SettingError(f"{key}={given}: {owner} has no such setting{siblings}")


def _siblings(key: str, names: Iterable[str]) -> str:
    """Return the settings beside one as " (settings: …)"; empty if there are none."""
    node = key.rpartition(".")[0]
    siblings = [n for n in names if n.rpartition(".")[0] == node and not n.endswith("._target_")]
    return f" (settings: {', '.join(siblings)})" if siblings else ""
