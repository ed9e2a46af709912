"""What is printed at the end of a watched loop."""

import math
import shlex
from pathlib import Path

from gdlab.console import PlainConsole, styled
from gdlab.display.terminal import STYLES
from gdlab.engine.metrics import SHARPNESS
from gdlab.engine.outcome import Outcome
from gdlab.optimizers.base import Optimizer
from gdlab.watching.ending import PATH_EVERY, SKIPPED, VARIANCE, Ended
from gdlab.watching.limits import STABILITY_LIMIT, TWO_OVER_LR

_LEAST_WIDTH = 14
_OWN_LINES = {SHARPNESS, TWO_OVER_LR, STABILITY_LIMIT, PATH_EVERY, VARIANCE, SKIPPED}


def print_summary(ended: Ended, directory: Path, *, quiet: bool) -> str:
    """Print how a loop ended, unless asked to be quiet; return the same as text."""
    outcome = ended.outcome
    lines = lines_of(ended, directory)
    width = max(_LEAST_WIDTH, *(len(name) + 1 for name, _ in lines))
    said = [] if outcome.explanation is None else [outcome.explanation]
    if not quiet:
        console = PlainConsole()
        style = STYLES.get(outcome.status, "bold red")
        console.print(styled((str(outcome.status), style), f": {outcome.reason}"))
        for text in said:
            console.print(text)
        for name, value in lines:
            console.print(styled((f"  {name:<{width}}", "dim"), value))
    head = [f"{outcome.status}: {outcome.reason}", *said]
    return "\n".join([*head, *(f"  {name:<{width}}{value}" for name, value in lines)])


def lines_of(ended: Ended, directory: Path) -> list[tuple[str, str]]:
    """Return the lines of the summary, names and texts."""
    outcome, history = ended.outcome, ended.history
    metrics = {name: value for name, value in outcome.metrics.items() if value is not None}
    best = f" (best {outcome.best_loss:.6g} at step {outcome.best_step:,})"
    best = best if math.isfinite(outcome.best_loss) else ""
    rates = [history.lr[-1], *(v[-1] for k, v in history.metrics.items() if k.startswith("lr_"))]
    lines = [
        ("loss", f"{outcome.final_loss:.6g}{best}"),
        ("gradient norm", f"{outcome.grad_norm:.6g}"),
        ("lr", ", ".join(f"{rate:.6g}" for rate in rates)),
    ]
    if SKIPPED in metrics:
        lines.append(("skipped", f"{metrics[SKIPPED]:.0f} of {len(history)} steps"))
    if SHARPNESS in metrics:
        lines.append(("sharpness", _sharpness(ended)))
    own = {k for k in metrics if k in _OWN_LINES or k.startswith("lr_")}
    lines += [(name, f"{value:.6g}") for name, value in metrics.items() if name not in own]
    lines.append(("path", _path(outcome)))
    view = f"python -m gdlab.view {shlex.quote(str(directory))}"
    return [*lines, ("files", str(directory)), ("viewer", view)]


def _sharpness(ended: Ended) -> str:
    """Name the last sharpness, and the limits there."""
    metrics, steps = ended.outcome.metrics, ended.history
    values = steps.metrics[SHARPNESS]
    step = int(steps.step[values == values][-1])
    text = f"{metrics[SHARPNESS]:.4g} at step {step:,}; 2/lr = {metrics[TWO_OVER_LR]:.4g}"
    own, formula = metrics.get(STABILITY_LIMIT), _formula(ended.settings.optimizer)
    return text if own is None or formula == "2/lr" else f"{text}, {formula} = {own:.4g}"


def _formula(optimizer: Optimizer) -> str:
    return optimizer.stability_formula("lr")


def _path(outcome: Outcome) -> str:
    """Say how much of the path is seen in its plane, and at which steps it was kept."""
    every, share = outcome.metrics[PATH_EVERY], outcome.metrics[VARIANCE]
    kept = "every step" if every == 1 else f"every {every:.0f}th step"
    return f"{share:.1%} of its variance in two principal components, {kept} kept"
