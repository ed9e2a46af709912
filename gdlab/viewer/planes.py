"""The plane in which the paths of a problem are shown, and the part of it that is shown first.

Shapes: R runs, n records of a run, D dimensions, K = min(D, 2) coordinates of the plane.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from gdlab.errors import SettingError
from gdlab.plots.landscape import axis_names
from gdlab.plots.projection import FAR, Landscape, Plane, nearby, principal_plane, view

PRINCIPAL = "principal"
_MOST_PAIRED = 10  # coordinates: 45 pairs
_VIEWS = 200
_POINTS = 100_000  # of all paths, from which the principal plane is computed


@dataclass(frozen=True)
class ShownPlane:
    """A plane and what the page says of it.

    Attributes:
        kind: "line" or "own" for the whole space, "coordinates" or "principal" for a part of it.
        key: by which it is asked for; empty for the default.
        plane: the plane.
        labels: the names of its axes.
        choices: keys and names of all planes that there are.
        note: what to know of it, one line; empty for nothing.
    """

    kind: str
    key: str
    plane: Plane
    labels: tuple[str, ...]
    choices: tuple[tuple[str, str], ...]
    note: str = ""

    def head(self) -> dict[str, Any]:
        """Return what messages say of it."""
        choices = [{"key": key, "label": label} for key, label in self.choices]
        words = {"kind": self.kind, "key": self.key, "note": self.note}
        return {**words, "labels": list(self.labels), "choices": choices}


def choose_plane(
    key: str, landscape: Landscape, paths: Sequence[np.ndarray], best: int
) -> ShownPlane:
    """Return the plane with a key.

    Args:
        key: "" for the default, "principal" or two coordinates such as "0,1".
        landscape: the loss, or what is known of it.
        paths: points (n, D) of R runs, finite ones only, at least one each.
        best: the run with the lowest loss.

    Raises:
        SettingError: there is no such plane.
    """
    dim = paths[0].shape[1]
    if dim <= 2:
        if key:
            raise SettingError(f"plane={key}: a loss of {dim} dimensions has one plane, plane=")
        kind, labels = ("line", "own")[dim - 1], tuple(landscape.names)
        return ShownPlane(
            kind, "", Plane(np.zeros(dim), np.eye(dim)), labels, (("", ", ".join(labels)),)
        )
    names = coordinate_names(landscape, dim)
    choices = ((PRINCIPAL, "principal plane"), *_pairs(names, paths))
    if key in ("", PRINCIPAL):
        plane = _principal(landscape, paths, best)
        labels = tuple(axis_names(landscape, plane))
        note = "the loss on the plane through the end of the best run; paths are projected onto it"
        return ShownPlane(PRINCIPAL, PRINCIPAL, plane, labels, choices, note)
    pair = parse_pair(key, dim)
    origin = paths[best][-1].copy()
    origin[[*pair]] = 0.0
    plane = Plane(origin, np.eye(dim)[[*pair]], np.zeros(2))
    note = "the other coordinates of the loss are those of the end of the best run"
    return ShownPlane("coordinates", key, plane, tuple(names[i] for i in pair), choices, note)


def coordinate_names(landscape: Landscape, dim: int) -> list[str]:
    """Return the names of all coordinates."""
    names = [*landscape.names]
    return names if len(names) == dim else [f"x{i}" for i in range(dim)]


def parse_pair(key: str, dim: int) -> tuple[int, int]:
    """Return the two coordinates of a key.

    Raises:
        SettingError: it names no two of D.
    """
    parts = key.split(",")
    if len(parts) == 2 and all(part.isascii() and part.isdecimal() for part in parts):
        first, second = (int(part[:9]) for part in parts)
        if first != second and max(first, second) < dim:
            return first, second
    raise SettingError(
        f"plane={key[:40]}: must be principal or two of the coordinates 0 to {dim - 1}"
    )


def _pairs(names: Sequence[str], paths: Sequence[np.ndarray]) -> list[tuple[str, str]]:
    """Return keys and names of the pairs of the ten coordinates along which paths extend most."""
    low = np.min([path.min(axis=0) for path in paths], axis=0)
    high = np.max([path.max(axis=0) for path in paths], axis=0)
    widest = np.sort(np.argsort(low - high, kind="stable")[:_MOST_PAIRED])
    pairs = combinations(widest.tolist(), 2)
    return [(f"{i},{j}", f"{names[i]}, {names[j]}") for i, j in pairs]


def _principal(landscape: Landscape, paths: Sequence[np.ndarray], best: int) -> Plane:
    """Return the principal plane of the parts of all paths that stay near, through the best end."""
    most = max(2, _POINTS // len(paths))
    order = [*(k for k in range(len(paths)) if k != best), best]
    near = []
    for k in order:
        path = paths[k][nearby(landscape, paths[k])]
        near.append(path[np.linspace(0, len(path) - 1, min(most, len(path))).round().astype(int)])
    return principal_plane(np.concatenate(near))


def first_view(
    landscape: Landscape, paths: Sequence[np.ndarray], losses: Sequence[np.ndarray], plane: Plane
) -> np.ndarray:
    """Choose the part of the plane to show first, (K, 2) lower and upper limits.

    It contains the views of the runs that stay near and do not end above their start; if there are
    none, those of all. Of more than 200 runs, the views of 200 are taken, evenly among them.

    Args:
        landscape: the loss, or what is known of it.
        paths: points (n, D) of R runs, finite ones only.
        losses: their losses (n,).
        plane: the plane.
    """
    moving = [k for k, path in enumerate(paths) if len(path) > 1]
    settled = [
        k for k in moving if not losses[k][-1] > losses[k][0] and stays_near(landscape, paths[k])
    ]
    chosen = [paths[k] for k in settled or moving or range(len(paths))]
    some = chosen[:: -(-len(chosen) // _VIEWS)]
    boxes = np.stack([view(landscape, path, plane) for path in some])
    return np.stack([boxes[..., 0].min(axis=0), boxes[..., 1].max(axis=0)], axis=1)


def stays_near(landscape: Landscape, path: np.ndarray) -> bool:
    """Tell whether the end of a path (n, D) is near enough to show."""
    return bool(nearby(landscape, path)[-1])


def project(plane: Plane, x: np.ndarray) -> np.ndarray:
    """Return points (n, D) in the coordinates of the plane (n, K), NaN where one is not finite."""
    with np.errstate(all="ignore"):
        projected = plane.coordinates(np.clip(x, -FAR, FAR))
    return np.where(np.isfinite(x).all(axis=1, keepdims=True), projected, np.nan)
