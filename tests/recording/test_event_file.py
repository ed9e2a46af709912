"""Event files are read back with TensorBoard's own loaders."""

import errno
import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.summary.writer.record_writer import RecordWriter

from gdlab.recording.event_file import EventWriter
from gdlab.recording.thinning import MAX_POINTS, thinned_steps

STATUS_SUCCESS, STATUS_FAILURE = 1, 2  # of the plugin's api.proto


class Clock:
    def __init__(self, now: float = 1_000_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def read(directory: Path) -> EventAccumulator:
    """Read a run with TensorBoard's pure-Python loader and its default limits."""
    return EventAccumulator(str(directory)).Reload()


def steps_on_disk(writer: EventWriter, tag: str = "loss") -> list[int]:
    run = EventAccumulator(str(writer.path)).Reload()
    return [e.step for e in run.Scalars(tag)] if tag in run.Tags()["scalars"] else []


def plugin_content(run: EventAccumulator, tag: str) -> bytes:
    return run.SummaryMetadata(tag).plugin_data.content


def tiny_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x80" * width) * height)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def wave(n: int) -> dict[str, np.ndarray]:
    t = np.arange(n, dtype=np.float64)
    return {
        "loss": 1 / (1 + t),
        "grad_norm": np.exp(-t / 7),
        "lr": np.full(n, 0.1),
        "x/0": np.sin(t),
    }


# Scalars


def test_every_tag_step_and_value_is_read_back(tmp_path):
    steps = np.append(thinned_steps(5_000), 5_000)
    values = {tag: column[steps] for tag, column in wave(5_001).items()}
    with EventWriter(tmp_path) as writer:
        writer.scalars(steps[:400], {tag: column[:400] for tag, column in values.items()})
        writer.scalars(steps[400:], {tag: column[400:] for tag, column in values.items()})
    run = read(tmp_path)
    assert set(run.Tags()["scalars"]) == set(values)
    for tag, column in values.items():
        points = run.Scalars(tag)
        assert [p.step for p in points] == steps.tolist()
        assert len(points) == MAX_POINTS
        assert np.array_equal([p.value for p in points], column.astype(np.float32))


def test_what_float32_cannot_hold_becomes_inf_without_a_warning(tmp_path):
    given_values = np.array([1e300, -1e300, np.inf, np.nan, 1e-300])
    with np.errstate(all="raise"), EventWriter(tmp_path) as writer:
        writer.scalars(np.arange(5), {"loss": given_values})
    got = [p.value for p in read(tmp_path).Scalars("loss")]
    assert np.array_equal(got, [np.inf, -np.inf, np.inf, np.nan, 0.0], equal_nan=True)


def test_no_tags_write_nothing(tmp_path):
    with EventWriter(tmp_path) as writer:
        writer.flush()
        size = writer.path.stat().st_size
        writer.scalars(np.arange(3), {})
    assert writer.path.stat().st_size == size


def test_columns_of_another_length_are_refused_before_anything_is_written(tmp_path):
    with EventWriter(tmp_path) as writer:
        with pytest.raises(ValueError, match=r"steps have shape \(3,\).*'lr': \(2,\)"):
            writer.scalars(np.arange(3), {"loss": np.zeros(3), "lr": np.zeros(2)})
        writer.flush()
        assert steps_on_disk(writer) == []


# Images, text, hparams


def test_image_bytes_are_kept(tmp_path):
    frames = {0: tiny_png(3, 2), 20: tiny_png(30, 20), 200: tiny_png(31, 21)}
    with EventWriter(tmp_path) as writer:
        for step, png in frames.items():
            writer.image("trajectory", step, png)
    images = read(tmp_path).Images("trajectory")
    assert {i.step: i.encoded_image_string for i in images} == frames
    assert [(i.width, i.height) for i in images] == [(3, 2), (30, 20), (31, 21)]


def test_images_other_than_png_are_refused(tmp_path):
    with EventWriter(tmp_path) as writer, pytest.raises(ValueError, match="'path' is not a PNG"):
        writer.image("path", 0, b"\xff\xd8\xff\xe0 a JPEG")


def test_text_is_read_back(tmp_path):
    markdown = "```yaml\nloss: beale  # λ ≥ 0\n```"
    with EventWriter(tmp_path) as writer:
        writer.text("config", markdown)
    run = read(tmp_path)
    assert run.SummaryMetadata("config").plugin_data.plugin_name == "text"
    assert run.Tensors("config")[0].tensor_proto.string_val[0].decode() == markdown


def test_hparams_parse_with_the_plugins_own_functions(tmp_path):
    clock = Clock()
    values = {"lr": 0.1, "seed": 3, "nesterov": True, "optimizer": "sgd", "max_loss": np.inf}
    with EventWriter(tmp_path, wall_time=clock) as writer:
        writer.hparams("lr=0.1,seed=3", values)
        clock.now += 5
        writer.end_session(ok=True)
    run = read(tmp_path)
    assert hparams_metadata.EXPERIMENT_TAG not in run.Tags()["tensors"]
    start = hparams_metadata.parse_session_start_info_plugin_data(
        plugin_content(run, hparams_metadata.SESSION_START_INFO_TAG)
    )
    assert start.group_name == "lr=0.1,seed=3"
    assert start.start_time_secs == 1_000_000_000
    assert start.hparams["lr"].number_value == 0.1
    assert start.hparams["seed"].number_value == 3
    assert start.hparams["nesterov"].bool_value is True
    assert start.hparams["optimizer"].string_value == "sgd"
    assert start.hparams["max_loss"].string_value == "inf"
    end = hparams_metadata.parse_session_end_info_plugin_data(
        plugin_content(run, hparams_metadata.SESSION_END_INFO_TAG)
    )
    assert (end.status, end.end_time_secs) == (STATUS_SUCCESS, 1_000_000_005)


def test_a_failed_run_is_marked_as_failed(tmp_path):
    with EventWriter(tmp_path) as writer:
        writer.end_session(ok=False)
    content = plugin_content(read(tmp_path), hparams_metadata.SESSION_END_INFO_TAG)
    end = hparams_metadata.parse_session_end_info_plugin_data(content)
    assert end.status == STATUS_FAILURE


def test_hparams_of_another_type_are_refused(tmp_path):
    with EventWriter(tmp_path) as writer, pytest.raises(TypeError, match="start"):
        writer.hparams("a", {"start": [1, 2]})  # pyright: ignore[reportArgumentType]


# The file


def test_records_are_framed_as_by_tensorboards_own_writer(tmp_path):
    with EventWriter(tmp_path) as writer:
        writer.hparams("a", {"lr": 0.1})
        writer.scalars(np.arange(300), wave(300))
        writer.image("trajectory", 0, tiny_png(200, 100))
    theirs = io.BytesIO()
    record_writer = RecordWriter(theirs)
    records = list(RawEventFileLoader(str(writer.path)).Load())
    for record in records:
        record_writer.write(record)
    assert len(records) == 1 + 1 + 300 + 1
    assert writer.path.read_bytes() == theirs.getvalue()


def test_every_writer_has_its_own_file(tmp_path):
    with (
        EventWriter(tmp_path, wall_time=Clock()) as a,
        EventWriter(tmp_path, wall_time=Clock()) as b,
    ):
        assert a.path != b.path
        assert a.path.parent == b.path.parent == tmp_path
        assert all(w.path.name.startswith("events.out.tfevents.1000000000.") for w in (a, b))


def test_the_file_stays_the_same_when_the_process_changes_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with EventWriter(Path("run")) as writer:
        monkeypatch.chdir("/")
        writer.scalars(np.arange(2), {"loss": np.zeros(2)})
    assert [p.step for p in read(tmp_path / "run").Scalars("loss")] == [0, 1]


def test_it_is_flushed_about_every_second(tmp_path):
    clock = Clock()
    writer = EventWriter(tmp_path, wall_time=clock)
    writer.scalars(np.array([0]), {"loss": np.zeros(1)})
    assert steps_on_disk(writer) == []
    clock.now += 1
    writer.scalars(np.array([1]), {"loss": np.zeros(1)})
    assert steps_on_disk(writer) == [0, 1]
    clock.now -= 3600
    writer.scalars(np.array([2]), {"loss": np.zeros(1)})
    assert steps_on_disk(writer) == [0, 1, 2]
    writer.scalars(np.array([3]), {"loss": np.zeros(1)})
    writer.close()
    assert steps_on_disk(writer) == [0, 1, 2, 3]


def test_a_long_call_does_not_pile_up_in_memory(tmp_path):
    clock = Clock()
    with EventWriter(tmp_path, wall_time=clock) as writer:
        writer.scalars(np.arange(30_000), {"loss": np.zeros(30_000)})
        assert writer.path.stat().st_size >= 1 << 20


MANY_WRITERS = """
import resource, sys
from pathlib import Path
import numpy as np
from gdlab.recording.event_file import EventWriter

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
writers = [EventWriter(Path(sys.argv[1]) / str(n)) for n in range(200)]
for n, writer in enumerate(writers):
    writer.scalars(np.arange(2), {"loss": np.full(2, n)})
for writer in writers:
    writer.close()
"""

needs_limits = pytest.mark.skipif(
    sys.platform == "win32", reason="there are no resource limits on Windows"
)


@needs_limits
def test_there_can_be_more_writers_than_open_files(tmp_path):
    subprocess.run([sys.executable, "-c", MANY_WRITERS, str(tmp_path)], check=True)
    assert len(list(tmp_path.iterdir())) == 200
    assert [p.value for p in read(tmp_path / "199").Scalars("loss")] == [199, 199]


# Errors

DISK_FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from gdlab.recording.event_file import EventWriter

def limit_files_to(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

n = 1_000
try:
    with EventWriter(Path(sys.argv[1])) as writer:
        writer.scalars(np.arange(n), {"loss": np.arange(n)})
        limit_files_to(5_000)
        writer.flush()
except OSError as error:
    print(error.errno, error.__context__, getattr(error, "__notes__", []))
print(writer.path.stat().st_size)
limit_files_to(resource.RLIM_INFINITY)
writer.flush()
"""


@needs_limits
def test_a_full_disk_is_reported_once_and_the_file_can_be_completed(tmp_path):
    command = [sys.executable, "-c", DISK_FULL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [f"{errno.EFBIG} None []", "5000"]
    assert [p.value for p in read(tmp_path).Scalars("loss")] == list(range(1_000))


def test_closing_does_not_hide_an_error_of_the_run(tmp_path):
    with pytest.raises(ZeroDivisionError) as caught, EventWriter(tmp_path) as writer:
        writer.scalars(np.arange(2), {"loss": np.zeros(2)})
        writer.path.unlink()
        raise ZeroDivisionError
    assert "event file could not be written" in caught.value.__notes__[0]


def test_an_error_at_closing_is_raised(tmp_path):
    with pytest.raises(FileNotFoundError), EventWriter(tmp_path) as writer:
        writer.scalars(np.arange(2), {"loss": np.zeros(2)})
        writer.path.unlink()


@pytest.mark.parametrize("module", ["gdlab.recording.event_file", "gdlab.view"])
def test_importing_loads_neither_torch_nor_tensorboard(module):
    code = (
        f"import {module}, sys; print({{'torch', 'tensorboard', 'tensorflow'}} & {{*sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# Thinning


@settings(deadline=None)
@given(steps=st.integers(0, 10**12), points=st.integers(2, 1_200))
def test_thinned_steps_increase_from_0_and_leave_room_for_the_last(steps, points):
    thinned = thinned_steps(steps, points)
    assert thinned.dtype == np.int64
    assert thinned[0] == 0
    assert np.all(np.diff(thinned) >= 1)
    assert thinned[-1] < max(steps, 1)
    assert len(thinned) + 1 <= points


@settings(deadline=None)
@given(points=st.integers(2, 1_200), data=st.data())
def test_all_steps_are_written_where_they_fit(points, data):
    steps = data.draw(st.integers(1, points - 1))
    assert thinned_steps(steps, points).tolist() == list(range(steps))


@settings(deadline=None)
@given(points=st.integers(4, 1_200), beyond=st.integers(0, 10**12))
def test_gaps_are_small_wherever_a_run_ends(points, beyond):
    steps = points + beyond
    first = points // 4
    thinned = thinned_steps(steps, points)
    assert len(thinned) == points - 1
    assert thinned[:first].tolist() == list(range(first))
    gaps = np.diff(np.append(thinned, steps))
    ratio = (steps / first) ** (1 / (points - 1 - first))
    assert np.all(gaps <= (ratio - 1) * np.append(thinned, steps)[:-1] + ratio + 1e-6 * gaps)


def test_the_gaps_in_the_docstring():
    for steps, share in [(10**6, 0.0112), (10**9, 0.0206)]:
        thinned = thinned_steps(steps)
        late = thinned[thinned > 100_000]
        assert np.max(np.diff(late) / late[:-1]) < share


@pytest.mark.parametrize(("steps", "points"), [(-1, 10), (10, 1)])
def test_impossible_thinning_is_refused(steps, points):
    with pytest.raises(ValueError, match="steps >= 0 and points >= 2"):
        thinned_steps(steps, points)
