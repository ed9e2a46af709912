"""The files a run leaves, compared with the same run in memory."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import gdlab
from gdlab.config.sections import Record
from gdlab.config.settings import Settings
from gdlab.engine.batch import Stop
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.losses import MSE, Quadratic, Rosenbrock
from gdlab.optimizers.momentum import SGD
from gdlab.recording.recorder import RunRecorder
from gdlab.recording.run_plots import landscape
from gdlab.recording.thinned_path import ThinnedPath
from gdlab.runs.batching import batch_of
from gdlab.runs.run import Run, execute
from gdlab.schedules import Constant, Exponential

BARE = Record(events=False, figures=False)
TEXTS = {"settings", "outcome"}


def settings(**changes: Any) -> Settings:
    made: dict[str, Any] = {"loss": Quadratic(), "optimizer": SGD(), "schedule": Constant()}
    return Settings(**{**made, "lr": 0.1, "steps": 30, "record": BARE, **changes})


def record(directory: Path, chosen: Settings, **options: Any) -> Outcome:
    """Run, and record in a new directory."""
    directory.mkdir()
    recorder = RunRecorder(directory, chosen, **options)
    return execute(chosen, batch_of(chosen), [recorder], lambda: False)


def in_memory(chosen: Settings) -> Run:
    """Run the same settings from Python."""
    names = ("loss", "optimizer", "schedule", "lr", "start", "stop")
    further = ("steps", "seed", "noise", "dtype", "device")
    return gdlab.run(**{name: getattr(chosen, name) for name in (*names, *further)})


def events(directory: Path) -> EventAccumulator:
    return EventAccumulator(str(directory), size_guidance={"scalars": 0}).Reload()


def scalars(run: EventAccumulator, tag: str) -> tuple[list[int], np.ndarray]:
    found = run.Scalars(tag)
    return [event.step for event in found], np.array([event.value for event in found])


RUNS = {
    "max_steps": settings(steps=7),
    "converged": settings(steps=1000),
    "diverged": settings(lr=9.0, steps=1000),
    "many chunks": settings(steps=2500, stop=Stop(grad_tol=0.0), noise=0.3, seed=5),
    "schedule": settings(schedule=Exponential(), steps=20),
    "float32": settings(loss=Rosenbrock(), lr=1e-3, dtype="float32"),
    "minibatch": settings(loss=MSE(data="diabetes", batch_size=20, standardize=True), seed=1),
}


@pytest.mark.parametrize("name", RUNS)
def test_the_history_is_that_of_the_run_bit_for_bit(name, tmp_path):
    chosen = RUNS[name]
    outcome, expected = record(tmp_path / "run", chosen), in_memory(chosen)
    table = pq.read_table(tmp_path / "run" / "history.parquet")
    dim, steps = chosen.loss.dim, outcome.steps
    columns = [f"x{i}" for i in range(dim)]
    assert table.column_names == ["step", "loss", "grad_norm", "lr", *columns]
    assert table["step"].to_pylist() == list(range(steps + 1))
    assert table["lr"].is_null().to_pylist() == [False] * steps + [True]
    history = expected.history
    for column in ("loss", "grad_norm"):
        written = table[column].to_numpy()
        assert written.tobytes() == getattr(history, column).astype(np.float64).tobytes()
    lr = table["lr"].to_numpy()[:-1]
    assert lr.tobytes() == history.lr[:-1].astype(np.float64).tobytes()
    x = np.stack([table[column].to_numpy() for column in columns], axis=1)
    assert x.tobytes() == history.x.astype(np.float64).tobytes()


@pytest.mark.parametrize("name", RUNS)
def test_the_result_is_that_of_the_run(name, tmp_path):
    chosen = RUNS[name]
    record(tmp_path / "run", chosen)
    expected = dict(vars(in_memory(chosen).outcome))
    assert expected.pop("metrics") == {}
    mode = {name: expected.pop(name) for name in ("mode", "mode_reason")}
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert list(result)[: len(expected)] == list(expected)
    for key, value in expected.items():
        plain = value.tolist() if isinstance(value, np.ndarray) else value
        assert result[key] == (str(plain) if key == "status" else plain), key
    assert result["seconds"] >= 0
    assert result["seed"] == chosen.seed
    assert {name: result[name] for name in mode} == mode


def test_closed_form_of_the_history(tmp_path):
    # H = diag(1, 15) from (1, 1): x after k steps is ((1 - lr)^k, (1 - 15 lr)^k).
    record(tmp_path / "run", settings(lr=0.125, steps=12))
    table = pq.read_table(tmp_path / "run" / "history.parquet").to_pandas()
    k = np.arange(13)
    first, second = 0.875**k, (-0.875) ** k
    np.testing.assert_allclose(table["x0"], first, rtol=1e-15)
    np.testing.assert_allclose(table["x1"], second, rtol=1e-15)
    np.testing.assert_allclose(table["loss"], 8 * first**2, rtol=1e-14)
    np.testing.assert_allclose(table["grad_norm"], np.sqrt(226) * first, rtol=1e-14)


@pytest.mark.parametrize(
    ("every", "steps", "kept"),
    [
        (1, 4, [0, 1, 2, 3, 4]),
        (3, 9, [0, 3, 6, 9]),
        (3, 10, [0, 3, 6, 9, 10]),
        (100, 10, [0, 10]),
        (40, 100, [0, 40, 80, 100]),  # past a chunk's end at 32
    ],
)
def test_every_nth_record_and_the_last(every, steps, kept, tmp_path):
    chosen = settings(steps=steps, record=Record(every=every, figures=False))
    record(tmp_path / "run", chosen)
    table = pq.read_table(tmp_path / "run" / "history.parquet").to_pandas()
    assert table["step"].tolist() == kept
    assert table["lr"].isna().tolist() == [False] * (len(kept) - 1) + [True]
    whole = in_memory(chosen).history
    assert table["loss"].tolist() == whole.loss[kept].tolist()
    assert scalars(events(tmp_path / "run"), "loss")[0] == kept


def test_a_run_that_ends_early_keeps_its_last_record(tmp_path):
    chosen = settings(steps=1000, stop=Stop(loss=0.1), record=Record(every=5, figures=False))
    outcome = record(tmp_path / "run", chosen)
    assert (str(outcome.status), outcome.steps) == ("target", 8)
    table = pq.read_table(tmp_path / "run" / "history.parquet").to_pandas()
    assert table["step"].tolist() == [0, 5, 8]
    assert scalars(events(tmp_path / "run"), "loss")[0] == [0, 5, 8]


def test_beyond_max_coords_the_history_has_the_first_and_snapshots_all(tmp_path):
    chosen = settings(loss=Quadratic(dim=9), record=Record(max_coords=4, events=False))
    record(tmp_path / "run", chosen)
    table = pq.read_table(tmp_path / "run" / "history.parquet")
    assert table.column_names[4:] == ["x0", "x1", "x2", "x3"]
    snapshots = pq.read_table(tmp_path / "run" / "snapshots.parquet").to_pydict()
    assert snapshots["step"][0] == 0
    assert snapshots["step"][-1] == 30
    whole = in_memory(chosen).history.x
    assert snapshots["x"] == [whole[step].tolist() for step in snapshots["step"]]
    assert (tmp_path / "run" / "trajectory.png").is_file()


@pytest.mark.parametrize("has_events", [True, False])
@pytest.mark.parametrize("has_figures", [True, False])
def test_events_and_figures_can_be_turned_off(has_events, has_figures, tmp_path):
    chosen = settings(steps=3, record=Record(events=has_events, figures=has_figures))
    record(tmp_path / "run", chosen)
    names = [name.split(".")[0] for name in sorted(os.listdir(tmp_path / "run"))]
    always, optional = ["SHA256SUMS", "history", "result"], has_events * ["events"]
    assert names == sorted([*always, *optional, *has_figures * ["trajectory", "convergence"]])
    if has_events:
        images = events(tmp_path / "run").Tags()["images"]
        assert images == has_figures * ["pictures/trajectory", "pictures/convergence"]


def test_events_show_what_the_history_holds(tmp_path):
    chosen = settings(steps=40, schedule=Exponential(), record=Record(figures=False))
    record(tmp_path / "run", chosen)
    run, history = events(tmp_path / "run"), in_memory(chosen).history
    expected = {
        "loss": history.loss,
        "step/grad_norm": history.grad_norm,
        "loss/log10_suboptimality": np.log10(history.loss),
        "x/distance_to_minimizer": np.sqrt((history.x**2).sum(1)),
        "x/x0": history.x[:, 0],
        "x/x1": history.x[:, 1],
    }
    assert set(run.Tags()["scalars"]) == {*expected, "step/lr"}
    for tag, column in expected.items():
        steps, values = scalars(run, tag)
        assert steps == list(range(41))
        # Events are float32: half a unit in the last of 24 bits.
        np.testing.assert_allclose(values, column, rtol=2**-24, atol=1e-45)
    steps, values = scalars(run, "step/lr")
    assert steps == list(range(40))
    assert values.tolist() == history.lr[:-1].astype(np.float32).tolist()
    assert set(run.Tags()["tensors"]) >= TEXTS


def test_events_are_at_most_a_thousand_with_the_first_and_the_last(tmp_path):
    chosen = settings(steps=4000, stop=Stop(grad_tol=0.0), noise=1.0, record=Record(figures=False))
    outcome = record(tmp_path / "run", chosen)
    run, history = events(tmp_path / "run"), in_memory(chosen).history
    assert outcome.steps == 4000
    for tag in run.Tags()["scalars"]:
        steps, values = scalars(run, tag)
        assert 900 <= len(steps) <= 1000
        assert steps == sorted(set(steps))
        assert (steps[0], steps[-1]) == (0, 4000)
        if tag == "loss":
            np.testing.assert_array_equal(values, history.loss[steps].astype(np.float32))


def test_many_coordinates_are_not_shown(tmp_path):
    chosen = settings(loss=Quadratic(dim=5), steps=2, record=Record(figures=False))
    record(tmp_path / "run", chosen)
    tags = events(tmp_path / "run").Tags()["scalars"]
    assert [tag for tag in tags if tag.startswith("x/")] == ["x/distance_to_minimizer"]


def test_the_texts_are_the_settings_and_the_outcome(tmp_path):
    chosen = settings(steps=5, record=Record(figures=False))
    outcome = record(tmp_path / "run", chosen)
    run = events(tmp_path / "run")
    texts = {tag: run.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in TEXTS}
    said = f"**max_steps**: {outcome.reason}\n\n{outcome.explanation}\n\n| | |\n"
    assert texts["outcome"].startswith(said)
    assert "\n| steps | 5 |\n" in texts["outcome"]
    assert "\nloss: Quadratic\n" in texts["settings"]
    assert "\nlr: 0.1\n" in texts["settings"]


# Pictures


def test_the_path_of_a_picture_is_thinned_but_ends_where_the_run_does():
    chosen = settings(steps=7_000, stop=Stop(grad_tol=0.0), noise=1.0)
    history = in_memory(chosen).history
    path = ThinnedPath(7_000)
    for start in range(0, 7_001, 777):
        path.write(history.take(np.arange(start, min(start + 777, 7_001))))
    kept = path.join()
    assert kept is not None
    assert len(kept) <= 5001
    assert (kept.step[0], kept.step[-1]) == (0, 7_000)
    assert (np.diff(kept.step) > 0).all()
    np.testing.assert_array_equal(kept.x, history.x[kept.step])


def test_a_path_without_finite_points_is_none():
    history = in_memory(settings(steps=2)).history
    path = ThinnedPath(2)
    assert path.join() is None
    path.write(history.take(np.arange(0)))
    assert path.join() is None
    history.x[:] = np.nan
    path.write(history)
    assert path.join() is None


def test_the_landscape_is_that_of_the_loss():
    chosen = settings(loss=Rosenbrock(), lr=1e-3)
    scenery = landscape(chosen)
    points = np.random.default_rng(0).normal(size=(4, 5, 2))
    x, y = points[..., 0], points[..., 1]
    np.testing.assert_allclose(
        scenery.value(points), 100 * (y - x**2) ** 2 + (1 - x) ** 2, rtol=1e-13
    )
    slope = np.stack((-400 * x * (y - x**2) - 2 * (1 - x), 200 * (y - x**2)), -1)
    assert scenery.gradient is not None
    np.testing.assert_allclose(scenery.gradient(points), slope, rtol=1e-11)
    assert scenery.title == "Rosenbrock · SGD · lr = 0.001"


# Records are flushed now and then


def test_records_are_the_same_however_often_they_are_flushed(tmp_path):
    chosen = settings(loss=Rosenbrock(), lr=1e-3, steps=500, record=Record(figures=False))
    record(tmp_path / "once", chosen)
    record(tmp_path / "often", chosen, flush_seconds=0.0)
    once, often = (pq.read_table(tmp_path / way / "history.parquet") for way in ("once", "often"))
    assert often.equals(once) and once.num_rows == 501
    once, often = (events(tmp_path / way) for way in ("once", "often"))
    tags = once.Tags()["scalars"]
    assert sorted(often.Tags()["scalars"]) == sorted(tags) and "loss" in tags
    for tag in tags:
        np.testing.assert_equal(scalars(often, tag), scalars(once, tag))


def test_a_live_run_can_be_watched(tmp_path):
    chosen = settings(loss=Rosenbrock(), lr=1e-3, steps=500, record=Record(figures=False))
    known: list[int] = []
    seen: list[int] = []

    class Watcher:
        def write(self, piece: History) -> None:
            known.append(int(piece.step[-1]))
            seen.append(scalars(events(tmp_path), "loss")[0][-1])

        def close(self, outcome: Outcome | None, seconds: float) -> None:
            pass

    sinks = [RunRecorder(tmp_path, chosen, flush_seconds=0.0), Watcher()]
    execute(chosen, batch_of(chosen), sinks, lambda: False)
    assert seen == [step - 1 for step in known]  # the last one waits: it may be the run's last
    assert len(seen) > 1


# A full disk


@pytest.mark.skipif(sys.platform == "win32", reason="there are no resource limits on Windows")
@pytest.mark.parametrize("limit", [3_000, 100_000])
def test_a_disk_that_fills_up_is_an_oserror_and_no_half_file(limit, tmp_path):
    import resource

    chosen = settings(steps=4000, stop=Stop(grad_tol=0.0), noise=1.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            record(tmp_path / "run", chosen)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "run" / "history.parquet").exists()
    assert not (tmp_path / "run" / "result.json").exists()


def test_pictures_have_the_formats_and_the_size_asked_for_and_equal_bytes(tmp_path):
    asked = Record(figures="svg,pdf", figure_size=(8.0, 4.0), events=False)
    chosen, written = settings(loss=Rosenbrock(), lr=1e-3, steps=5, record=asked), []
    for name in ("one", "two"):
        record(tmp_path / name, chosen)
        written.append({path.name: path.read_bytes() for path in (tmp_path / name).glob("t*.*")})
    assert set(written[0]) == {"trajectory.pdf", "trajectory.svg"}
    assert written[0] == written[1]
    assert b'width="576pt" height="288pt"' in written[0]["trajectory.svg"]  # 72 points an inch
