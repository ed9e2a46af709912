"""What TensorBoard's own HParams backend does with the settings of several runs."""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from html import unescape
from importlib import import_module
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from markdown import markdown as convert
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.list_session_groups import Handler

import gdlab
from gdlab.config.loading import settings_from_flat
from gdlab.console import visible
from gdlab.losses import Quadratic
from gdlab.recording.event_sink import EventSink
from gdlab.recording.run_text import as_markdown

# Imported by name, since its classes are made at run time, unseen by a type checker.
api_pb2 = import_module("tensorboard.plugins.hparams.api_pb2")
STATUSES = list(api_pb2.Status.values())


class Board:
    """The HParams backend over the runs of a directory."""

    def __init__(self, directory: Path) -> None:
        runs = EventMultiplexer().AddRunsFromDirectory(str(directory)).Reload()
        provider = MultiplexerDataProvider(runs, str(directory))
        self._context = Context(TBContext(data_provider=provider, multiplexer=runs))

    def runs(self, key: str | None = None, order: Any = None, cell: Any = None) -> list[Any]:
        """The runs, all of them or sorted or filtered by a column."""
        request = api_pb2.ListSessionGroupsRequest(
            start_index=0, slice_size=100, allowed_statuses=STATUSES
        )
        if key is not None:
            column = request.col_params.add(hparam=key)
            if order is not None:
                column.order = order
            if cell is not None:
                column.filter_discrete.extend([cell])
        response = Handler(RequestContext(), self._context, "", request).run()
        return list(response.session_groups)


def record(directory: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the event files of runs without steps."""
    for number, row in enumerate(rows):
        made = settings_from_flat({"steps": 1, **row})
        sink = EventSink(directory / f"run{number}", made)
        sink.close(None, 0.0)


def shown(group: Any, key: str) -> Any:
    """The cell of a run, as the table shows it."""
    return getattr(group.hparams[key], str(group.hparams[key].WhichOneof("kind")))


def check_column(directory: Path, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Sorting and filtering by a column keep every run."""
    record(directory, rows)
    board = Board(directory)
    for order in (api_pb2.ORDER_ASC, api_pb2.ORDER_DESC):
        assert len(board.runs(key, order=order)) == len(rows)
    cells = [shown(group, key) for group in board.runs()]
    assert len({type(cell) for cell in cells}) == 1
    for cell in cells:
        same = [group.name for group in board.runs(key, cell=cell)]
        assert len(same) == cells.count(cell)


class Free(Quadratic):
    """A loss with a setting that may be anything."""

    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


COLUMNS: list[tuple[str, list[Mapping[str, Any]], type]] = [
    ("transform.shift", [{}, {"transform.shift": [2, 0]}, {"transform.shift": -1.5}], str),
    ("transform.scale", [{"transform.scale": 2}, {"transform.scale": [2, 3]}], str),
    ("loss.center", [{}, {"loss.center": [1, 2]}], str),
    ("start", [{"start": [1, 2]}, {"start": "random"}], str),
    ("noise.kind", [{}, {"noise.kind": "student_t"}], str),
    ("lr", [{"lr": 1}, {"lr": 0.1}, {"lr": 1e300}], float),
    ("seed", [{}, {"seed": 2**62}], float),
    ("stop.loss", [{"stop.loss": -1}, {"stop.loss": 0.5}], float),
    ("optimizer.nesterov", [{}, {"optimizer": "nesterov"}], bool),
    ("loss.options.a", [{"loss": Free(options={"a": value})} for value in (1, math.inf, [2])], str),
]


@pytest.mark.parametrize(("key", "rows", "kind"), COLUMNS, ids=[row[0] for row in COLUMNS])
def test_a_setting_has_one_type_in_hparams(key, rows, kind, tmp_path):
    check_column(tmp_path, key, rows)
    assert {type(shown(group, key)) for group in Board(tmp_path).runs()} == {kind}


HOSTILE = st.lists(
    st.sampled_from(
        ["<b>", "[a](b)", "*a*", "_a_", "__b__", "`c`", "a_b", "$x$", "\\", "&", "\n- "]
    )
).map(" ".join)


@hypothesis.settings(max_examples=30)
@hypothesis.given(HOSTILE)
def test_a_reason_is_no_markdown(text):
    shown = convert(as_markdown(f"failed: {text}"))
    assert set(re.findall(r"<[^>]*>", shown)) <= {"<p>", "</p>"}
    assert "$" not in shown
    assert unescape(re.sub("</?p>", "", shown)).strip() == visible(f"failed: {text}").strip()


numbers = st.floats(-1e300, 1e300)


@hypothesis.settings(max_examples=5)
@hypothesis.given(st.lists(numbers | st.lists(numbers, min_size=2, max_size=2), min_size=2))
def test_any_values_of_a_setting_can_be_sorted_and_filtered(tmp_path_factory, values):
    rows = [{"transform.shift": value} for value in values]
    check_column(tmp_path_factory.mktemp("runs"), "transform.shift", rows)


def test_a_run_that_ended_says_how_in_the_table(tmp_path):
    settings = settings_from_flat({"steps": 5, "lr": 0.1})
    ended = gdlab.run(steps=3).outcome
    EventSink(tmp_path / "ended", settings).close(ended, 0.0)
    EventSink(tmp_path / "cut", settings).close(None, 0.0)
    groups = {group.name.split(" · ")[0]: group for group in Board(tmp_path).runs()}
    assert shown(groups["ended"], "Status") == "max_steps"
    assert shown(groups["ended"], "Steps") == 3
    assert "Status" not in groups["cut"].hparams
    statuses = {name: group.sessions[0].status for name, group in groups.items()}
    assert statuses == {"ended": api_pb2.STATUS_SUCCESS, "cut": api_pb2.STATUS_FAILURE}


def test_runs_of_the_same_name_in_two_sweeps_are_two_rows(tmp_path):
    for sweep in ("a", "b"):
        record(tmp_path / sweep, [{}])
    assert len(Board(tmp_path).runs()) == 2
