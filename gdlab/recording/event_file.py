"""Event files for TensorBoard, written fast.

The stock `SummaryWriter` needs 43 µs for a scalar, most of it a checksum in pure Python and a file
that is opened and closed for every record. Here one event carries all the tags of a step, the event
object is reused, the checksum is native and the file is opened about once a second.

An event file is a view for the eye: values are float32, and a damaged byte hides all that follows.

Letters in shapes: n steps.
"""

import math
import os
import re
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from gdlab.recording.tfrecords import event, framed, scalar_records

FLUSH_SECONDS = 1.0
FLUSH_BYTES = 1 << 20

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class EventWriter:
    """Writes one event file, the whole of what TensorBoard shows of a run.

    No file stays open between flushes, so thousands of writers can live at once. Use it as a
    context manager, or call `close`: what was written in the last second is lost otherwise.
    A write that fails (a full disk) raises `OSError`; closing the writer does not raise it again.

    Args:
        directory: The run's directory; made where it is missing.
        wall_time: The clock: seconds since 1970, for the events and for flushing.

    Attributes:
        path: The event file, new and this writer's own.
    """

    def __init__(self, directory: Path, *, wall_time: Callable[[], float] = time.time) -> None:
        self._wall_time = wall_time
        self._pending = bytearray()
        self._written = 0
        self._flushed_at = wall_time()
        self._failed = False
        # Absolute, because the file is opened again at every flush and a run may change directory.
        self.path = _new_file(Path(directory).absolute(), int(self._flushed_at))
        self._append(event(self._flushed_at, file_version="brain.Event:2"))

    def scalars(self, steps: np.ndarray, values: dict[str, np.ndarray]) -> None:
        """Write one point per step and tag.

        Args:
            steps: Step numbers, shape (n,).
            values: For each tag its values, shape (n,), written as float32: what is too large for
                it becomes inf.

        Raises:
            ValueError: The shapes differ.
            OSError: The file cannot be written.
        """
        if shapes := {t: np.shape(v) for t, v in values.items() if np.shape(v) != np.shape(steps)}:
            raise ValueError(f"steps have shape {np.shape(steps)}, values {shapes}")
        if not values:
            return
        table = np.empty((len(values), len(steps)), np.float32)
        with np.errstate(all="ignore"):
            for row, numbers in zip(table, values.values(), strict=True):
                row[:] = numbers
        whole = np.asarray(steps, dtype=np.int64)
        self._pending += scalar_records(self._wall_time(), tuple(values), whole, table.T)
        self._flush_if_due()

    def image(self, tag: str, step: int, png: bytes) -> None:
        """Write a picture, as it is.

        Args:
            tag: The name under which TensorBoard's slider steps through pictures.
            step: The step number that it shows.
            png: The encoded PNG.

        Raises:
            ValueError: `png` is no PNG.
            OSError: The file cannot be written.
        """
        if png[:8] != PNG_SIGNATURE or png[12:16] != b"IHDR":
            raise ValueError(f"the image {tag!r} is not a PNG: it starts with {png[:16]!r}")
        width, height = struct.unpack(">II", png[16:24])
        shown = event(self._wall_time(), step=step)
        image = shown.summary.value.add(tag=tag).image
        image.width, image.height, image.encoded_image_string = width, height, png
        self._append(shown)
        self._flush_if_due()

    def text(self, tag: str, markdown: str) -> None:
        """Write a text, shown as Markdown.

        Args:
            tag: Its name.
            markdown: The text.

        Raises:
            OSError: The file cannot be written.
        """
        shown = event(self._wall_time(), summary=_a_text())
        (value,) = shown.summary.value
        value.tag, value.tensor.string_val[0] = tag, markdown.encode()
        self._append(shown)
        self._flush_if_due()

    def charts(self, tags: Mapping[str, Sequence[str]]) -> None:
        """Lay out charts of several tags together, under Custom Scalars; once a run.

        Args:
            tags: those of each chart's curves by its title.

        Raises:
            OSError: The file cannot be written.
        """
        from tensorboard.plugins.custom_scalar import metadata
        from tensorboard.util.tensor_util import make_tensor_proto

        proto = import_module("tensorboard.plugins.custom_scalar.layout_pb2")

        def chart(title: str, curves: Sequence[str]) -> Any:
            exact = [f"^{re.escape(tag)}$" for tag in curves]
            return proto.Chart(title=title, multiline=proto.MultilineChartContent(tag=exact))

        charts = [chart(title, curves) for title, curves in tags.items()]
        layout = proto.Layout(category=[proto.Category(title="theory", chart=charts)])
        shown = event(self._wall_time())
        shown.summary.value.add(
            tag=metadata.CONFIG_SUMMARY_TAG,
            metadata=metadata.create_summary_metadata(),
            tensor=make_tensor_proto(layout.SerializeToString()),
        )
        self._append(shown)
        self._flush_if_due()

    def hparams(self, name: str, values: dict[str, bool | int | float | str]) -> None:
        """Write the run's row in the HParams table: its settings; all scalar tags are its metrics.

        An Experiment record, which would list the columns, is left out: TensorBoard keeps one of
        all runs', and with it only that run's columns.

        Args:
            name: The run's name, unique among the runs, by which the table groups.
            values: The settings.

        Raises:
            TypeError: A value is of another type.
            OSError: The file cannot be written.
        """
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        now = self._wall_time()
        shown = {key: _storable(value) for key, value in values.items()}
        summary = hparams_pb(shown, trial_id=name, start_time_secs=now)
        self._append(event(now, summary=summary))
        self._flush_if_due()

    def end_session(self, ok: bool) -> None:
        """Write how the run ended, for the HParams table.

        Args:
            ok: Whether it succeeded.

        Raises:
            OSError: The file cannot be written.
        """
        from tensorboard.plugins.hparams import metadata

        status = import_module("tensorboard.plugins.hparams.api_pb2")
        data = import_module("tensorboard.plugins.hparams.plugin_data_pb2")
        now = self._wall_time()
        end = data.SessionEndInfo(
            status=status.STATUS_SUCCESS if ok else status.STATUS_FAILURE, end_time_secs=now
        )
        ended = event(now)
        ended.summary.value.add(
            tag=metadata.SESSION_END_INFO_TAG,
            metadata=metadata.create_summary_metadata(data.HParamsPluginData(session_end_info=end)),
            tensor=metadata.NULL_TENSOR,
        )
        self._append(ended)
        self._flush_if_due()

    def flush(self) -> None:
        """Hand all that was written to the operating system.

        Raises:
            OSError: The file cannot be written. What is pending is kept, and a later flush writes
                it over the torn end that a full disk leaves.
        """
        if not self._pending:
            return
        try:
            with open(self.path, "r+b", buffering=0) as file:
                file.seek(self._written)
                _write_all(file, self._pending)
        except OSError:
            self._failed = True
            raise
        self._failed = False
        self._written += len(self._pending)
        self._pending.clear()

    def close(self) -> None:
        """Flush, unless the last attempt failed and its error was raised already."""
        if not self._failed:
            self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except OSError as second:
            if error is None:
                raise
            error.add_note(f"Besides, the event file could not be written: {second}")

    def _append(self, record: Any) -> None:
        self._pending += framed(record.SerializeToString())

    def _flush_if_due(self) -> None:
        now = self._wall_time()
        # A clock that was set back must not silence the run until it has caught up.
        is_due = not 0 <= now - self._flushed_at < FLUSH_SECONDS
        if is_due or len(self._pending) >= FLUSH_BYTES:
            self._flushed_at = now
            self.flush()


@cache
def _a_text() -> Any:
    """The summary of some text: to make one anew takes five times as long as to copy it."""
    from tensorboard.plugins.text.summary_v2 import text_pb

    return text_pb("", "")


def _storable(value: bool | int | float | str) -> bool | int | float | str:
    # TensorBoard leaves the cell of a number that is inf or nan blank.
    finite = not isinstance(value, float | np.floating) or math.isfinite(value)
    return value if finite else str(value)


def _new_file(directory: Path, seconds: int) -> Path:
    """A new, empty event file of a name that no other has, by which TensorBoard finds it."""
    if not directory.is_dir():
        directory.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        path = directory / f"events.out.tfevents.{seconds:010d}.{os.getpid()}.{number}"
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            number += 1
        else:
            return path


def _write_all(file: Any, data: bytearray) -> None:
    """Write all of `data`: an unbuffered file may take a part of it without an error."""
    with memoryview(data) as view:
        done = 0
        while done < len(view):
            done += file.write(view[done:])
