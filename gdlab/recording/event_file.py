"""Event files for TensorBoard, written fast.

The stock `SummaryWriter` needs 43 µs for a scalar, most of it for a checksum in pure Python and for
opening and closing the file at every record. Here one event carries all the tags of a step, the
event object is reused, the checksum is native and the file is opened about once a second.

An event file is for looking at only: values are float32, and a damaged byte hides all that follows.

Shapes: n steps.
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

from gdlab.recording.tfrecords import frame, new_event, scalar_records

_FLUSH_BYTES = 1 << 20
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class EventWriter:
    """Writes one event file, which is all that TensorBoard shows of a run.

    No file stays open between flushes, so thousands of writers can exist at once. Use it as a
    context manager, or call `close`; otherwise what was written since the last flush is lost.
    A write that fails (a full disk) raises `OSError`; closing the writer does not raise it again.

    Args:
        directory: The run's directory; created if it does not exist.
        wall_time: The clock: seconds since 1970, for the events and for flushing.
        flush_seconds: How long a write may wait before the next one flushes it.

    Attributes:
        path: The event file, a new one for each writer.
    """

    def __init__(
        self,
        directory: Path,
        *,
        wall_time: Callable[[], float] = time.time,
        flush_seconds: float = 1.0,
    ) -> None:
        self._wall_time, self._flush_seconds = wall_time, flush_seconds
        self._pending = bytearray()
        self._written = 0
        self._flushed_at = wall_time()
        self._failed = False
        # Absolute: the file is opened again at every flush, and a run may change directory.
        self.path = _create_file(Path(directory).absolute(), int(self._flushed_at))
        self._append(new_event(self._flushed_at, file_version="brain.Event:2"))

    def scalars(self, steps: np.ndarray, values: dict[str, np.ndarray]) -> None:
        """Write one point per step and tag.

        Args:
            steps: Step numbers, shape (n,).
            values: The values of each tag, shape (n,), written as float32; those too large for
                float32 become inf.

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
        steps = np.asarray(steps, dtype=np.int64)
        self._pending += scalar_records(self._wall_time(), tuple(values), steps, table.T)
        self._flush_if_due()

    def image(self, tag: str, step: int, png: bytes) -> None:
        """Write a picture as it is.

        Args:
            tag: Its name; TensorBoard's slider steps through the pictures of one tag. What follows
                the last slash is the title: the name of the run needs the room beside it.
            step: Its step number.
            png: The encoded PNG.

        Raises:
            ValueError: `png` is not a PNG.
            OSError: The file cannot be written.
        """
        if png[:8] != _PNG_SIGNATURE or png[12:16] != b"IHDR":
            raise ValueError(f"the image {tag!r} is not a PNG: it starts with {png[:16]!r}")
        width, height = struct.unpack(">II", png[16:24])
        record = new_event(self._wall_time(), step=step)
        value = record.summary.value.add(tag=tag)
        about, image = value.metadata, value.image
        # The fast loader takes the title only if the metadata is complete.
        about.plugin_data.plugin_name, about.data_class = "images", 3  # DATA_CLASS_BLOB_SEQUENCE
        about.display_name = tag.rpartition("/")[2]
        image.width, image.height, image.encoded_image_string = width, height, png
        self._append(record)
        self._flush_if_due()

    def text(self, tag: str, markdown: str) -> None:
        """Write a text, which TensorBoard shows as Markdown.

        Args:
            tag: Its name.
            markdown: The text.

        Raises:
            OSError: The file cannot be written.
        """
        record = new_event(self._wall_time(), summary=_text_summary())
        (value,) = record.summary.value
        value.tag, value.tensor.string_val[0] = tag, markdown.encode()
        self._append(record)
        self._flush_if_due()

    def charts(self, tags: Mapping[str, Sequence[str]]) -> None:
        """Lay out charts that show several tags together, under Custom Scalars; once per run.

        Args:
            tags: The tags in each chart, by its title.

        Raises:
            OSError: The file cannot be written.
        """
        from tensorboard.plugins.custom_scalar import metadata
        from tensorboard.util.tensor_util import make_tensor_proto

        proto = import_module("tensorboard.plugins.custom_scalar.layout_pb2")

        def chart(title: str, curves: Sequence[str]) -> Any:
            patterns = [f"^{re.escape(tag)}$" for tag in curves]
            return proto.Chart(title=title, multiline=proto.MultilineChartContent(tag=patterns))

        charts = [chart(title, curves) for title, curves in tags.items()]
        layout = proto.Layout(category=[proto.Category(title="theory", chart=charts)])
        record = new_event(self._wall_time())
        record.summary.value.add(
            tag=metadata.CONFIG_SUMMARY_TAG,
            metadata=metadata.create_summary_metadata(),
            tensor=make_tensor_proto(layout.SerializeToString()),
        )
        self._append(record)
        self._flush_if_due()

    def hparams(
        self,
        name: str,
        values: dict[str, bool | int | float | str],
        *,
        began: float | None = None,
    ) -> None:
        """Write the run's row in the HParams table: its cells; its metrics are the scalar tags.

        An Experiment record, which would list the columns, is left out: TensorBoard keeps only one
        of those of all runs, and would show only that run's columns.

        Args:
            name: The run's name, unique among the runs; the table groups by it.
            values: The cells by column.
            began: When the run began, in seconds since 1970; by default now.

        Raises:
            TypeError: A value has another type.
            OSError: The file cannot be written.
        """
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        now = self._wall_time()
        cells = {key: _to_cell(value) for key, value in values.items()}
        summary = hparams_pb(cells, trial_id=name, start_time_secs=began or now)
        self._append(new_event(now, summary=summary))
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
        record = new_event(now)
        record.summary.value.add(
            tag=metadata.SESSION_END_INFO_TAG,
            metadata=metadata.create_summary_metadata(data.HParamsPluginData(session_end_info=end)),
            tensor=metadata.NULL_TENSOR,
        )
        self._append(record)
        self._flush_if_due()

    def flush(self) -> None:
        """Hand everything pending to the operating system.

        Raises:
            OSError: The file cannot be written. Pending records are kept, and a later flush writes
                them over the torn end that a full disk leaves.
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
        """Flush, unless the last flush failed and raised its error already."""
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
        except OSError as flush_error:
            if error is None:
                raise
            error.add_note(f"Also, the event file could not be written: {flush_error}")

    def _append(self, record: Any) -> None:
        self._pending += frame(record.SerializeToString())

    def _flush_if_due(self) -> None:
        now = self._wall_time()
        # Also due when the clock was set back: no flush until it has caught up would be too long.
        is_due = not 0 <= now - self._flushed_at < self._flush_seconds
        if is_due or len(self._pending) >= _FLUSH_BYTES:
            self._flushed_at = now
            self.flush()


@cache  # copying it is five times as fast as a new one
def _text_summary() -> Any:
    from tensorboard.plugins.text.summary_v2 import text_pb

    return text_pb("", "")


def _to_cell(value: bool | int | float | str) -> bool | int | float | str:
    # The cell of an inf or nan would be blank.
    is_nonfinite = isinstance(value, float | np.floating) and not math.isfinite(value)
    return str(value) if is_nonfinite else value


def _create_file(directory: Path, seconds: int) -> Path:
    """Create an empty event file with a unique name that TensorBoard recognizes."""
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
    """Write all of `data`; an unbuffered file may accept only a part without an error."""
    with memoryview(data) as view:
        done = 0
        while done < len(view):
            done += file.write(view[done:])
