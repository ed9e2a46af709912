"""The two messages of the live bench: what it offers, and a run in the plane of a scene.

Shapes: n records, D dimensions, K coordinates of the plane.
"""

from typing import Any

import numpy as np

from gdlab.board.asks import Ask
from gdlab.board.choices import choices
from gdlab.board.commands import command_of, with_loss_name
from gdlab.board.live import Bench, LiveRun
from gdlab.board.queries import Query, numbers, whole
from gdlab.config.settings import Settings
from gdlab.console import visible
from gdlab.engine.metrics import SHARPNESS
from gdlab.errors import SettingError
from gdlab.recording.run_plots import landscape_of
from gdlab.viewer.planes import project
from gdlab.viewer.records import Records
from gdlab.viewer.run_settings import factor_of
from gdlab.viewer.scene import Scene, arrays_of

_NOT_ASKED = ("problem", "plane", "brief")
_USUAL = ("optimizer", "lr", "seed")


def offer(scene: Scene) -> dict[str, Any]:
    """Return what can be chosen for a scene, and what to begin with: as its first run did.

    Raises:
        SettingError: its loss cannot be evaluated.
    """
    problem = problem_of(scene)
    offered = choices(problem)
    known = {each["name"]: each for each in offered["optimizers"]}
    if not known:
        raise SettingError(f"problem={scene.problem.id}: no optimizer of gdlab fits its loss")
    first = scene.problem.runs[scene.runs[0]].settings
    optimizer, lr, seed = (first.get(key) for key in _USUAL)
    if optimizer not in known:
        optimizer, lr = next(iter(known)), None
    start = np.array(problem.starting_point())
    return {
        **offered,
        "optimizer": optimizer,
        "lr": lr if isinstance(lr, float) else known[optimizer]["lr"]["value"],
        "seed": seed if isinstance(seed, int) else 0,
        "start": scene.shown.plane.coordinates(start[None])[0].tolist(),
    }


def compute(scene: Scene, bench: Bench, query: Query) -> dict[str, Any]:
    """Compute the run that a query asks for, from a start in the plane of a scene.

    With `brief=1` it is not diagnosed, which takes longer than the run.

    Raises:
        GdlabError: a setting cannot be used, or a newer run was asked for.
    """
    is_brief = bool(whole(query, "brief", 0, 1, 0))
    problem, plane = problem_of(scene), scene.shown.plane
    asked = {key: value for key, value in query.items() if key not in _NOT_ASKED}
    if "start" in asked:
        point = plane.points(np.array(numbers(query, "start", len(scene.view))))
        asked["start"] = ",".join(map(repr, point.tolist()))
    run = bench.compute(problem, Ask.of(asked), diagnosed=not is_brief)
    path = project(plane, run.history.x) - scene.view.mean(axis=1)
    arrays = arrays_of(landscape_of(run.settings.objective, ""), _records(run), path)
    return {
        "run": _head(run) | arrays,
        "seconds": run.seconds,
        "words": run.words,
        "command": command_of(run.words),
    }


def problem_of(scene: Scene) -> Settings:
    """Return settings with the loss of a scene, which know what it is called.

    Raises:
        SettingError: it cannot be evaluated.
    """
    problem = scene.problem
    if isinstance(problem.made, str):
        raise SettingError(f"problem={problem.id}: {problem.made}")
    name = str(problem.runs[0].settings.get("loss", ""))
    return with_loss_name(problem.made, name, problem.node["loss"])


def _records(run: LiveRun) -> Records:
    history = run.history
    sharpness = history.metrics.get(SHARPNESS)
    columns = (history.step, history.x, history.loss, history.grad_norm, history.lr)
    return Records(*columns, sharpness, len(history))


def _head(run: LiveRun) -> dict[str, Any]:
    """Return what the message says of a run, but for its records."""
    settings, outcome = run.settings, run.outcome
    optimizer = settings.name("optimizer")
    return {
        "name": "live",
        "label": visible(f"{optimizer}, lr = {settings.lr:.6g}"),
        "status": str(outcome.status),
        "diagnosis": outcome.diagnosis or "",
        "explanation": visible(outcome.explanation or outcome.reason),
        "steps": outcome.steps,
        "final_loss": outcome.final_loss,
        "best_loss": outcome.best_loss,
        "evaluations": outcome.evaluations,
        "lr_limit": outcome.lr_limit,
        "settings": {"optimizer": optimizer, "lr": settings.lr, "seed": settings.seed},
        "rate": factor_of(settings),
    }
