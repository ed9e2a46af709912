"""The nearest name to a mistyped one, and the errors that suggest it."""

import difflib
import re
from collections.abc import Iterable

from gdlab.errors import SettingError
from gdlab.paths import CONF

_FORMULA = re.compile(
    r"\w\s*(\*\*?|\+|-|/\d)\s*[\w(]|\b(sin|cos|tan|exp|log|ln|sqrt|abs|tanh|max|min)\("
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
    "bfloat16": "float32",
}
"""Names of settings, and of some of their values, in other tools and texts."""

_EXPLAINED = {
    "epochs": "steps are counted: an epoch of N examples is N / loss.batch_size steps",
    **dict.fromkeys(
        ("directory", "dir", "folder", "out", "output", "output_dir", "logdir", "log_dir"),
        "the folder of a run is hydra.run.dir=… on a command line, directory=… in Python",
    ),
}
"""What takes the place of settings of other tools."""

_GROUPS = {"loss": "a loss", "optimizer": "an optimizer", "schedule": "a schedule"}
_MOST_OWNERS = 5


def did_you_mean(given: str, names: Iterable[str]) -> str:
    """Return ", did you mean …?" with the nearest dotted name; empty if none is near."""
    known = sorted(names)
    same = next((name for name in known if name.lower() == given.lower()), None)
    if same is not None:
        return f", did you mean {same}?"
    node, _, last = given.rpartition(".")
    synonym = _OTHER_NAMES.get(last.lower(), "")
    siblings = {name.rpartition(".")[2]: name for name in known if name.rpartition(".")[0] == node}
    anywhere = {name.rpartition(".")[2]: name for name in reversed(known)}
    for meant, candidates in (
        (synonym, dict.fromkeys(known)),
        (synonym.rpartition(".")[2], siblings),
    ):
        if meant in candidates:
            return f", did you mean {candidates[meant] or meant}?"
    inside = {name.rpartition("/")[2]: name for name in known if "/" in name}
    for candidates in (siblings, anywhere, inside):
        near = difflib.get_close_matches(last, candidates, n=1, cutoff=0.65)
        if near:
            return f", did you mean {candidates[near[0]]}?"
    return ""


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


def unknown_choice(group: str, given: str, choices: Iterable[str]) -> SettingError:
    """Return the error for a name that is not in a group."""
    names = sorted(choices)
    if group == "loss" and looks_like_formula(given):
        way = f"a formula is loss=expression '{group}.formula={given}'"
        return SettingError(f"{group}={given}: no such choice; {way}")
    for other, kind in _GROUPS.items():
        if other != group in _GROUPS and given in choices_of(other):
            return SettingError(f"{group}={given}: {given} is {kind}; choose {other}={given}")
    if given.startswith("[") and given.endswith("]") and "," in given:
        way = f"several make a sweep: --multirun {group}={given[1:-1]}"
        return SettingError(f"{group}={given}: must be one choice; {way}")
    hint = did_you_mean(given.removesuffix("LR"), names)
    return SettingError(f"{group}={given}: no such choice{hint} (choices: {', '.join(names)})")


def unknown_setting(key: str, given: str, known: Iterable[str]) -> SettingError:
    """Return the error for a setting that does not exist."""
    names = sorted(known)
    last = key.rpartition(".")[2]
    if last in _EXPLAINED:
        return SettingError(f"{key}={given}: no such setting; {_EXPLAINED[last]}")
    owners = "" if any(n.rpartition(".")[2] == last for n in names) else _owners(key, given)
    if owners:
        return SettingError(f"{key}={given}: no such setting here; {owners}")
    hint = did_you_mean(key, names)
    return SettingError(f"{key}={given}: no such setting{hint}{_siblings(key, names)}")


def _owners(key: str, given: str) -> str:
    """Say which losses, optimizers or schedules have a setting that the chosen ones lack."""
    node, _, name = key.rpartition(".")
    for group in _GROUPS:
        if node not in ("", group) or not name.isidentifier():
            continue
        declared = re.compile(rf"^{name}:", re.MULTILINE)
        files = {choice: CONF / group / f"{choice}.yaml" for choice in choices_of(group)}
        owners = [name for name, file in files.items() if declared.search(file.read_text("utf-8"))]
        if owners:
            best = name if name in owners else min(owners, key=len)
            others = [owner for owner in owners if owner != best]
            few = ", ".join([best, *others[: _MOST_OWNERS - 1]])
            more = f"{few}, …" if len(owners) > _MOST_OWNERS else few
            have = "has" if len(owners) == 1 else "have"
            return f"{more} {have} it: {group}={best} {group}.{name}={given}"
    return ""


def missing_setting(key: str, given: str, owner: str, known: Iterable[str]) -> SettingError:
    """Return the error for a setting that one of several choices, the owner, does not have."""
    siblings = _siblings(key, sorted(known))
    return SettingError(f"{key}={given}: {owner} has no such setting{siblings}")


def _siblings(key: str, names: Iterable[str]) -> str:
    """Return the settings beside one as " (settings: …)"; empty if there are none."""
    node = key.rpartition(".")[0]
    siblings = [name for name in names if name.rpartition(".")[0] == node]
    return f" (settings: {', '.join(siblings)})" if siblings else ""
