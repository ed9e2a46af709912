"""One experiment from Python: `gdlab.run`."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
import pytest
import torch
from helpers.gradients import plain_descent, rosenbrock, rosenbrock_gradient
from torch import Tensor

import gdlab
from gdlab.engine.status import Status
from gdlab.errors import SettingError
from gdlab.losses import MSE, Quadratic
from gdlab.losses.function import Function
from gdlab.optimizers import Adam
from gdlab.runs.interruption import SIGNALS
from gdlab.schedules import Exponential


def test_a_run_equals_a_plain_loop() -> None:
    run = gdlab.run(loss="rosenbrock", optimizer="sgd", lr=1e-3, steps=500)
    points = plain_descent(rosenbrock_gradient, np.array([-1.2, 1.0]), 1e-3, 500)
    history = run.history
    np.testing.assert_allclose(history.x, points, rtol=1e-12)  # observed 9e-16
    losses = [rosenbrock(x) for x in points]
    np.testing.assert_allclose(history.loss, losses, rtol=1e-12)  # observed 8e-16
    norms = [np.linalg.norm(rosenbrock_gradient(x)) for x in points]
    np.testing.assert_allclose(history.grad_norm, norms, rtol=1e-11)  # observed 4e-16
    distances = np.linalg.norm(points - 1, axis=1)
    np.testing.assert_allclose(history.distance, distances, rtol=1e-12)  # type: ignore[arg-type]  # 4e-16
    assert run.outcome.steps == 500
    assert run.seconds > 0


def test_a_run_of_t_steps_has_t_plus_one_records() -> None:
    run = gdlab.run(loss="rosenbrock", lr=1e-3, steps=70)
    history = run.history
    assert history.step.tolist() == list(range(71))
    assert history.x.shape == (71, 2)
    assert len(history.loss) == len(history.grad_norm) == len(history.lr) == 71
    assert history.lr[:-1].tolist() == [1e-3] * 70
    assert np.isnan(history.lr[-1])
    assert history.x[0].tolist() == [-1.2, 1.0]


def test_names_and_instances_give_the_same_run() -> None:
    by_name = gdlab.run("quadratic", "adam", 0.1, schedule="exponential", steps=50)
    by_instance = gdlab.run(Quadratic(), Adam(), 0.1, schedule=Exponential(), steps=50)
    assert np.array_equal(by_name.history.x, by_instance.history.x)
    assert by_name.settings.name("optimizer") == "adam"
    assert by_instance.settings.name("optimizer") == "Adam"


def test_the_same_call_gives_the_same_bits() -> None:
    def run() -> gdlab.Run:
        return gdlab.run("rosenbrock", "adam", 0.01, start="random", seed=5, noise=0.1, steps=99)

    first, second = run(), run()
    for name in ("x", "loss", "grad_norm", "lr", "distance"):
        assert getattr(first.history, name).tobytes() == getattr(second.history, name).tobytes()
    other = gdlab.run("rosenbrock", "adam", 0.01, start="random", seed=6, steps=1)
    assert not np.array_equal(first.history.x[0], other.history.x[0])


def test_a_function_of_one_point() -> None:
    run = gdlab.run(lambda x: (x[0] - 3) ** 2 + x[1] ** 2, lr=0.25, start=[1, 1])
    assert run.outcome.status == Status.CONVERGED
    assert run.history.x[1].tolist() == [2.0, 0.5]
    assert (run.outcome.distance, run.history.distance) == (None, None)


def test_a_random_start_lies_in_the_window() -> None:
    starts = [gdlab.run("rosenbrock", lr=1e-5, start="random", seed=s, steps=1) for s in range(30)]
    x, y = np.array([run.history.x[0] for run in starts]).T
    assert (np.abs(x) <= 2).all()
    assert ((y >= -1) & (y <= 3)).all()
    assert len(set(x)) == 30
    assert np.ptp(x) > 2
    assert np.ptp(y) > 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_numbers_have_the_dtype(dtype: str) -> None:
    run = gdlab.run("rosenbrock", "adam", 0.01, dtype=dtype, steps=5)
    assert {run.history.x.dtype, run.history.loss.dtype, run.history.lr.dtype} == {np.dtype(dtype)}


TWICE: dict[str, Any] = {"loss.condition": 3, "condition": 4}
BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: gdlab.run("rosenbrok"), "loss=rosenbrok: no such choice, did you mean rosenbrock"),
    (lambda: gdlab.run(optimizer="adm"), "optimizer=adm: no such choice, did you mean adam"),
    (lambda: gdlab.run(schedule="cos"), "schedule=cos: no such choice"),
    (lambda: gdlab.run(lr=0), "lr=0: must be a finite number > 0"),
    (lambda: gdlab.run(lr=float("nan")), "lr=nan: must be a finite number > 0"),
    (lambda: gdlab.run(steps=0), "steps=0: must be a whole number ≥ 1"),
    (lambda: gdlab.run(seed=-1), "seed=-1: must be a whole number ≥ 0"),
    (lambda: gdlab.run(noise=-1), "noise.scale=-1: must be a finite number ≥ 0"),
    (lambda: gdlab.run(dtype="float16"), "dtype=float16: must be one of float64, float32"),
    (
        lambda: gdlab.run(lr=1e-46, dtype="float32"),
        r"^lr=1e-46: must be 0 or between 1.2e-38 and 3.4e\+38 in dtype=float32$",
    ),
    (lambda: gdlab.run(lr=1e39, dtype="float32"), r"^lr=1e\+39: must be 0 or between"),
    (lambda: gdlab.run(noise=1e39, dtype="float32"), r"^noise.scale=1e\+39: must be 0 or betw"),
    (lambda: gdlab.sweep(lr=[0.1, 1e-46], dtype="float32"), r"^lr=1e-46: must be 0 or between"),
    (lambda: gdlab.run(epochs=5), "^epochs=5: no such setting; steps are counted"),
    (lambda: gdlab.run(momentm=0.9), "^momentm=0.9: no such setting, did you mean optimizer.mom"),
    (
        lambda: gdlab.run(**TWICE),
        "^condition=4: loss.condition is giv",
    ),
    (lambda: gdlab.run(lambda x, y: x + y, start=[1, 1]), "^loss=<lambda>: must take one argument"),
    (lambda: gdlab.run(start=[1, 2, 3]), r"must be 2 numbers \(x0, x1\), or random"),
    (lambda: gdlab.run(start=[1, float("inf")]), "start.*inf: must be a finite number"),
    (lambda: gdlab.run(start=3), "start=3: must be a list of numbers"),  # type: ignore[arg-type]
    (lambda: gdlab.run(start={1, 2}), "start={1, 2}: must be a list"),  # type: ignore[arg-type]
    (lambda: gdlab.run(lambda x: x.sum(), start=torch.tensor(3.0)), "start=3.0: must be a list"),  # type: ignore[arg-type]
    (lambda: gdlab.run(lambda x: x.sum()), "a function needs a start of D numbers"),
    (lambda: gdlab.run(Adam()), "loss=.*: must be a name or an instance of Loss"),  # type: ignore[arg-type]
    (lambda: gdlab.run(optimizer=MSE()), "must be a name or an instance of Optimizer"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
def test_invalid_settings_are_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        call()


def test_numbers_may_be_those_of_numpy() -> None:
    run = gdlab.run(lr=np.float64(0.1), steps=np.int64(7), seed=np.uint8(3), noise=np.float32(0.5))
    assert (run.outcome.steps, run.settings.seed, run.settings.noise.scale) == (7, 3, 0.5)


def test_a_start_may_be_any_sequence() -> None:
    sequences = ([2.0, 3.0], np.array([2, 3]), torch.tensor([2.0, 3.0]), range(2, 4))
    for start in (*sequences, lambda: iter((2, 3))):
        for loss in ("quadratic", lambda x: x.square().sum()):
            point: Any = start() if callable(start) else start
            run = gdlab.run(loss, start=point, steps=1)
            assert run.history.x[0].tolist() == [2.0, 3.0]


# Signals.


def signalling_at(call: int, number: int = signal.SIGINT) -> Function:
    """A slope whose evaluation number `call` sends a signal to this process."""
    calls = iter(range(10_000))

    def value(x: Tensor) -> Tensor:
        if next(calls) == call:
            os.kill(os.getpid(), number)
        return -x.sum()

    return Function(value, start=(0.0,))


# a signal, and what a handler may raise
RAISED = list(zip(SIGNALS, (KeyboardInterrupt, SystemExit, TimeoutError), strict=False))


@pytest.mark.parametrize("call", [gdlab.run, gdlab.sweep])
@pytest.mark.parametrize(("number", "error"), RAISED)
def test_a_signal_is_handled_as_the_caller_says(
    number: int, error: type[BaseException], call: Callable[..., Any]
) -> None:
    """A handler that returns does not end a run; what one raises reaches the caller."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    def end(number: int, frame: FrameType | None) -> None:
        raise error

    before = signal.signal(number, note)
    try:
        ended = call(signalling_at(31, number), lr=1.0, steps=100)
        steps = ended.outcome.steps if call is gdlab.run else ended.results["steps"][0]
        assert (received, steps) == ([number], 100)
        signal.signal(number, end)
        with pytest.raises(error):
            call(signalling_at(31, number), lr=1.0, steps=100)
        assert signal.getsignal(number) is end
    finally:
        signal.signal(number, before)


def test_an_exception_in_the_loss_ends_the_run_and_is_its_reason() -> None:
    calls = iter(range(100))

    def value(x: Tensor) -> Tensor:
        if next(calls) == 40:
            raise OSError("no such river")
        return -x.sum()

    run = gdlab.run(value, lr=1.0, start=[0.0])
    assert run.outcome.status == Status.FAILED
    reason = "failed: OSError after step 39: no such river (test_run.py, line "
    assert run.outcome.reason.startswith(reason.removeprefix("failed: "))
    assert reason in repr(run) and reason in repr(run.outcome)
    with pytest.raises(SettingError, match="stability: cannot be drawn, the sharpness"):
        run.plot("stability")
    assert len(run.history) == 40


def test_a_run_that_fails_before_its_first_step_is_refused(tmp_path) -> None:
    class Wrong(gdlab.Optimizer):
        def update(self, x, grad, state, lr) -> Any:
            return x

    class Short(gdlab.Schedule):
        def init(self, base):
            return {"calls": base}

        def lr(self, step, base, state, loss, steps) -> Any:
            return base

    cases: list[tuple[dict[str, Any], str]] = [
        ({"loss": lambda p: p**2, "start": [1, 2]}, "must return a scalar tensor, and gave shape"),
        ({"loss": lambda p: p.foo, "start": [1]}, r"foo' \(test_run.py, line \d+\)$"),
        ({"optimizer": Wrong}, r"^optimizer=Wrong: update must return \(x, state\), and gave a"),
        ({"schedule": Short()}, r"^schedule=Short: lr must return \(rates, state\), and gave a"),
    ]
    for settings, said in cases:
        with pytest.raises(SettingError, match=said):
            gdlab.run(**settings, directory=tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_a_run_outside_the_main_thread_leaves_signals_alone() -> None:
    before, runs = signal.getsignal(signal.SIGINT), []
    thread = threading.Thread(target=lambda: runs.append(gdlab.run(steps=5)))
    thread.start()
    thread.join()
    assert runs[0].outcome.steps == 5
    assert signal.getsignal(signal.SIGINT) is before
