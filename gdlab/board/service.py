"""What the page asks of the server: the name of a message and a query, answered by its bytes."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock, RLock
from typing import Any, TypeAlias

import numpy as np

from gdlab.board.live import Bench
from gdlab.board.live_answers import compute, offer
from gdlab.board.queries import Query, fields, numbers, text, whole
from gdlab.errors import GdlabError, SettingError
from gdlab.viewer.format import encode
from gdlab.viewer.grids import MOST_LINE, SIDE, grid_of, point_of
from gdlab.viewer.problems import Problem, problems_of
from gdlab.viewer.reading import Reader, first_notes
from gdlab.viewer.scene import VERSION, Scene, make_scene, marks_message, run_message, scene_message

MOST_SIDE = 512
_MOST_SCENES = 4
_WIDEST = 1e150  # of a view: beyond it squares overflow

Answer: TypeAlias = Mapping[str, Any]


class Service:
    """Answers what a page asks of the runs in and below a directory.

    Args:
        root: the directory; nothing outside it is read.
        trust: whether a loss that its runs name is imported, where gdlab has no such class.
    """

    def __init__(self, root: Path, *, trust: bool = False) -> None:
        self._reader, self._trust = Reader(root), trust
        self._lock, self._searching, self._bench = RLock(), Lock(), Bench()
        self._problems: dict[str, Problem] = {}
        self._scenes: dict[tuple[str, str], Scene] = {}
        self._messages: dict[tuple[str, str, str], bytes] = {}
        self.answers: dict[str, Callable[[Query], Answer | bytes]] = {
            "catalogue": self.catalogue,
            "scene": self.scene,
            "grid": self.grid,
            "marks": self.marks,
            "run": self.run,
            "point": self.point,
            "choices": lambda query: offer(self._scene(query)),
            "live": lambda query: compute(self._scene(query), self._bench, query),
        }

    def answer(self, name: str, query: Query) -> bytes:
        """Return a message.

        Args:
            name: of the message.
            query: the values that it is asked with.

        Raises:
            GdlabError: it cannot be had; its first line says why.
        """
        if name not in self.answers:
            raise SettingError(f"{name[:40]}: must be one of {', '.join(self.answers)}")
        head = self.answers[name](query)
        return head if isinstance(head, bytes) else encode(head)

    def prepare(self) -> None:
        """Make what a page asks for first."""
        self.catalogue({})
        with suppress(GdlabError):  # there may be nothing to show; asked again, it says why
            self.scene({})

    def catalogue(self, query: Query) -> Answer:
        """Return the problems of all runs, read anew where files have changed."""
        with self._lock:
            problems, notes, complete = self._read()
        heads = [problem.head() for problem in problems]
        return {
            "version": VERSION,
            "problems": heads,
            "notes": first_notes(notes),
            "complete": complete,
        }

    def scene(self, query: Query) -> bytes:
        """Return the landscape and the paths of a problem."""
        key = ("scene", text(query, "problem", "p0"), text(query, "plane", ""))
        with self._lock:
            scene = self._scene_of(*key[1:])
            if key not in self._messages:
                self._messages[key] = encode(scene_message(scene))
            return self._messages[key]

    def grid(self, query: Query) -> Answer:
        """Return the loss over a part of the plane, for other numbers of the loss where given."""
        scene = self._scene(query)
        view = _view(query, len(scene.view))
        is_line = len(view) == 1
        side = whole(query, "side", 2, MOST_LINE if is_line else MOST_SIDE, SIDE)
        side = side if is_line else min(side, scene.problem.most_side)
        changes = fields(query, "loss.")
        landscape = scene.problem.changed(changes).landscape if changes else scene.known_landscape
        if landscape is None:
            raise SettingError(f"problem={scene.problem.id}: {scene.why}")
        scale = scene.grid.scale if scene.grid is not None else None
        given = None if changes else scale
        return {"grid": grid_of(landscape, scene.shown.plane, view, side, given).head()}

    def point(self, query: Query) -> Answer:
        """Return the loss and its derivatives at a point of the plane."""
        scene = self._scene(query)
        at = np.array(numbers(query, "at", len(scene.view)))
        changes = fields(query, "loss.")
        problem = scene.problem.changed(changes) if changes else scene.problem
        if isinstance(problem.made, str) or scene.known_landscape is None:
            raise SettingError(f"problem={problem.id}: {problem.why or scene.why}")
        return point_of(problem.made.objective, scene.shown.plane, at)

    def marks(self, query: Query) -> bytes:
        """Return the minimizers and the critical points in the first view, found once."""
        key = ("marks", text(query, "problem", "p0"), text(query, "plane", ""))
        scene = self._scene(query)
        with self._searching:
            if key not in self._messages:
                self._messages[key] = encode(marks_message(scene))
            return self._messages[key]

    def run(self, query: Query) -> Answer:
        """Return all records of one run."""
        scene = self._scene(query)
        number = whole(query, "run", 0, len(scene.problem.runs) - 1)
        return run_message(scene, number)

    def _scene(self, query: Query) -> Scene:
        with self._lock:
            return self._scene_of(text(query, "problem", "p0"), text(query, "plane", ""))

    def _read(self) -> tuple[list[Problem], list[str], bool]:
        """Read what has changed; scenes are made anew if anything has."""
        read = self._reader.read()
        problems = problems_of(read.runs, self._trust)
        if {p.id: p.runs for p in problems} != {k: p.runs for k, p in self._problems.items()}:
            self._problems = {problem.id: problem for problem in problems}
            self._scenes, self._messages = {}, {}
        return [*self._problems.values()], [*read.notes], read.complete

    def _scene_of(self, name: str, plane: str) -> Scene:
        if not self._problems:
            self._read()
        if name not in self._problems:
            raise SettingError(f"problem={name[:40]}: there is no such problem")
        if (name, plane) not in self._scenes:
            scene = make_scene(self._problems[name], plane)
            while len(self._scenes) >= _MOST_SCENES:
                oldest = next(iter(self._scenes))
                del self._scenes[oldest]
                for kind in ("scene", "marks"):
                    self._messages.pop((kind, *oldest), None)
            self._scenes[name, plane] = scene
        return self._scenes[name, plane]


def _view(query: Query, count: int) -> np.ndarray:
    """Return the limits (K, 2) that a query gives.

    Raises:
        SettingError: an upper limit is not above the lower one, or a limit is huge.
    """
    view = np.array(numbers(query, "view", 2 * count)).reshape(count, 2)
    if not (np.diff(view, axis=1) > 0).all() or np.abs(view).max() > _WIDEST:
        raise SettingError(f"view={text(query, 'view')[:64]}: must be lower and upper limits")
    return view
