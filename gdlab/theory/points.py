"""Sentences about the kind of point a run ended at.

Shapes: D dimensions.
"""

import numpy as np
import torch

from gdlab.fields.formatting import format_value
from gdlab.numerics.terms import largest_terms
from gdlab.theory.curvature import AT_LEAST_ONE
from gdlab.theory.run_end import INVISIBLE, RunEnd, loss_at, loss_of_run, named, of_row

_MOST_TYPED = 6
"""Coordinates of a start that one would type."""

_LOCAL = 1e-6
"""How far above the minimum, relative to it, a minimum is a local one."""

_NEARBY = 1e-3
"""The distance of the neighbors of a degenerate point, or more where it is known less well."""

_WELL_AWAY = 40
"""The distance from a degenerate point, in Newton's steps, at which it looks like a point."""

_APART = 1e-2
"""The length of Newton's step, relative to the point, from which a run ended beside a point."""

_ROUNDING = 16
"""Units in the last place of the largest term of a loss by which its value may be wrong."""

_ASIDE = 0.1
"""How far from a saddle to start again, relative to its size."""


def minimum(run: RunEnd) -> str:
    """Give the ends of the spectrum, and how far above the known minimum it lies."""
    above = run.number("suboptimality")
    known = run.found.batch.loss.minimum
    # What Newton's step still gains is no more than this.
    left = run.eigenvalues[1] * _remaining(run) ** 2
    is_local = above > left + _LOCAL * (1 + abs(of_row(known, run.row)))
    local = f"a local minimum, {above:.3g} above the known one" if is_local else "a minimum"
    local = "a minimum, where maximize=true seeks a maximum" if run.maximizes else local
    return f"{_beside(run)}{local}: {_spectrum(run, 'positive')}"


def _remaining(run: RunEnd) -> float:
    """Return the length of Newton's step from the last point; 0 if unknown."""
    remaining = float(run.spectrum.remaining[run.k])
    return 0.0 if np.isnan(remaining) else remaining


def _beside(run: RunEnd) -> str:
    """Say how far from a point the run ended, if that can be seen."""
    return f"{_remaining(run):.2g} away, by Newton's step, from " if _is_apart(run) else ""


def _is_apart(run: RunEnd) -> bool:
    """Tell whether Newton's step leads visibly away from the last point."""
    return _remaining(run) > _APART * max(1.0, float(np.abs(run.x).max()))


def saddle(run: RunEnd) -> str:
    """Give the index, the ends of the spectrum and a way down."""
    least, largest = run.eigenvalues
    index = int(run.spectrum.negative[run.k])
    of = "" if index == AT_LEAST_ONE else f" of index {index}"
    down = run.spectrum.downward[run.k].double().numpy()
    ends = f"the eigenvalues of the Hessian lie between {least:.3g} and {largest:.3g}"
    saddle = f"{_beside(run)}a saddle{of}"
    if run.maximizes:
        return f"{saddle}, no maximum: {ends}"
    return f"{saddle}, no minimum: {ends}; {_way_down(run, down)}"


def maximum(run: RunEnd) -> str:
    """Give the ends of the spectrum and a way down."""
    down = run.spectrum.downward[run.k].double().numpy()
    ends = f"{_beside(run)}a maximum: {_spectrum(run, 'negative')}"
    return ends if run.maximizes else f"{ends}; {_way_down(run, down)}"


def _spectrum(run: RunEnd, sign: str) -> str:
    """Say of which sign the eigenvalues of the Hessian are, and between which they lie."""
    least, largest = run.eigenvalues
    if len(run.x) == 1:
        return f"the second derivative is {least:.3g}"
    spread = f"{least:.3g}" if least == largest else f"from {least:.3g} to {largest:.3g}"
    return f"the eigenvalues of the Hessian are {sign}, {spread}"


def _way_down(run: RunEnd, direction: np.ndarray) -> str:
    """Say where the loss falls, and what leads there: a setting, or a start that is lower."""
    falls = f"the loss falls along {named(run, direction)}"
    escape = run.found.batch.optimizer.escape
    if escape is not None:
        return f"{falls}: with {escape} steps lead away from here"
    scale = _ASIDE * max(1.0, float(np.abs(run.x).max()))
    point = np.array([float(f"{value:.3g}") for value in run.x + scale * direction])
    point[np.abs(point) < INVISIBLE * scale] = 0.0
    lower = run.number("final_loss") - loss_at(run, point)
    if len(point) > _MOST_TYPED or not lower > 0:
        return falls
    return f"{falls}: start={format_value(point.tolist())} is {lower:.3g} lower"


def degenerate(run: RunEnd) -> str:
    """Say how many eigenvalues are zero, and whether a neighbor is lower."""
    count, dim = int(run.spectrum.doubtful[run.k]), len(run.x)
    if _is_convex_quadratic(run):
        return (
            f"one of many minima: the loss is quadratic, and its Hessian has {dim} "
            f"eigenvalue{'s' * (dim != 1)}, {count} of them zero up to rounding"
        )
    step, is_by_rounding = _remaining(run), count == int(run.spectrum.zero[run.k])
    far = max(_NEARBY, _WELL_AWAY * float(run.spectrum.remaining[run.k]))
    if _is_apart(run) and not is_by_rounding:
        return (
            f"degenerate: the gradient is small here, but along Newton's step, {step:.2g} long, "
            "the Hessian changes by as much as its eigenvalues, and does not tell what kind of "
            f"point is near; {_neighbors(run, far, step)}"
        )
    up_to = "rounding" if is_by_rounding else f"rounding and to Newton's step, {step:.2g} long"
    return (
        f"degenerate: the Hessian has {dim} eigenvalue{'s' * (dim != 1)}, {count} of them zero up "
        f"to {up_to}, and does not tell a minimum from a saddle; {_neighbors(run, far)}"
    )


def _is_convex_quadratic(run: RunEnd) -> bool:
    """Tell whether the loss is quadratic and no eigenvalue of its Hessian is negative."""
    has_negative = int(run.spectrum.negative[run.k]) != 0
    return run.found.batch.loss.is_quadratic and not has_negative and not run.maximizes


def kink(run: RunEnd) -> str:
    """Say whether the loss is lowest at its kink, or at that of its gradient."""
    if bool(run.found.evidence.is_kink[run.k]):
        return f"a kink: the loss has no derivative here; {_neighbors(run, _NEARBY)}"
    return (
        "a kink of the gradient: second derivatives jump here, so that there is no Hessian; "
        f"{_neighbors(run, _NEARBY)}"
    )


def _neighbors(run: RunEnd, far: float, *others: float) -> str:
    """Say whether a neighbor some distance away along an axis is better, or at other distances."""
    found = (_better_neighbor(run, distance) for distance in (far, *others))
    better = next((point for point in found if point is not None), None)
    word, end = ("higher", "maximum") if run.maximizes else ("lower", "minimum")
    if better is None:
        return f"no neighbor {far:.2g} away along an axis is {word}"
    return f"but {_named_apart(run, better)} is {word}, so that it is no {end}"


def _named_apart(run: RunEnd, point: np.ndarray) -> str:
    """Name a point (D,) with as many digits as tell it from the last one of the run."""
    texts = ((named(run, point, digits), named(run, run.x, digits)) for digits in range(3, 18))
    return next((text for text, of_run in texts if text != of_run), named(run, point))


def _better_neighbor(run: RunEnd, far: float) -> np.ndarray | None:
    """Return a point (D,) so far from the last one along an axis with a better loss; else None.

    Losses are compared as computed together, and a gap within their rounding is no evidence.
    """
    dim = len(run.x)
    offsets = np.concatenate((np.zeros((1, dim)), np.eye(dim), -np.eye(dim))) * far
    points = [torch.as_tensor(run.x + offset).to(run.found.batch.start) for offset in offsets]
    loss = loss_of_run(run)
    with torch.no_grad():
        values = torch.cat([loss(point[None]) for point in points]).double().cpu().numpy()
    sign = -1 if run.maximizes else 1
    best = int(np.argmin(sign * values))
    eps = torch.finfo(points[best].dtype).eps
    gap = sign * (values[0] - values[best])
    is_visible = gap > 0 and gap > _ROUNDING * eps * float(
        largest_terms(loss, points[best][None])[0]
    )
    return run.x + offsets[best] if is_visible else None


def flat(run: RunEnd) -> str:
    """Say that nothing leads away, or that the loss has a slope below the tolerance."""
    above = run.number("suboptimality")
    far = f", and {above:.3g} above the known minimum" if above > 0 else ""
    slope, wanted = run.number("grad_norm"), run.found.batch.stop.grad_tol
    if slope > 0:
        return (
            f"flat, but not level: the Hessian is 0 here and the gradient norm {slope:.3g} is not"
            f"{far}; stop.grad_tol={wanted:g} is too coarse for this loss"
        )
    return (
        f"flat: the gradient and the Hessian are 0 here{far}; no step leads away, another start may"
    )
