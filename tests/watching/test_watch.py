"""`gdlab.watch`: what it records of a loop, what it leaves alone, and how loops end."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gdlab
from gdlab.watching.sharpness import SharpnessMeter
from gdlab.watching.watch import Watch

MSE, CROSS_ENTROPY = nn.functional.mse_loss, nn.functional.cross_entropy


def weights_of(model: nn.Module) -> Tensor:
    """All weights as one vector."""
    return torch.cat([p.detach().flatten() for p in model.parameters()]).clone()


def norm_of(model: nn.Module) -> Tensor:
    """The norm of the whole gradient."""
    return nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])


class Loop:
    """A loop with all that may hide in one: dropout, batch normalization, two groups of parameters,
    a scheduler, gradient clipping, minibatches.
    """

    def __init__(self) -> None:
        torch.manual_seed(1)
        self.x = torch.randn(64, 6)
        self.y = (self.x[:, :2].sum(1) > 0).long()
        layers = (nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 2))
        self.model = nn.Sequential(*layers)
        first: dict[str, Any] = {"params": self.model[:3].parameters()}
        groups = [first, {"params": self.model[4].parameters(), "lr": 0.03}]
        self.optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 40)
        self.seen: list[tuple[float, float, float, float]] = []
        self.points: list[Tensor] = []

    def closure(self) -> Tensor:
        """The loss on all examples; it draws random numbers, too."""
        return CROSS_ENTROPY(self.model(self.x), self.y) + 0 * torch.rand(())

    def run(self, watch: Watch | None, steps: int = 40) -> None:
        """Train, and note what the loop itself sees."""
        for _ in range(steps):
            chosen = torch.randint(0, 64, (16,))
            self.optimizer.zero_grad()
            loss = CROSS_ENTROPY(self.model(self.x[chosen]), self.y[chosen])
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 0.5)
            norm = nn.utils.get_total_norm(
                [p.grad for p in self.model.parameters() if p.grad is not None]
            )
            first, second = (group["lr"] for group in self.optimizer.param_groups)
            self.points.append(weights_of(self.model))
            self.optimizer.step()
            self.schedule.step()
            self.seen.append((loss.item(), norm.item(), first, second))
            if watch is not None:
                watch.step(loss, doubled=2 * loss)


def principal_components(points: list[Tensor]) -> np.ndarray:
    """The first two components (n, 2) of points, by their singular values."""
    x = torch.stack(points).double().numpy()
    u, s, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    return u[:, :2] * s[:2]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Loop, Watch]:
    """A loop and the watch that saw it."""
    loop = Loop()
    folder = tmp_path_factory.mktemp("watch") / "run"
    watch = gdlab.watch(
        loop.model, loop.optimizer, folder, closure=loop.closure, sharpness_every=20, quiet=True
    )
    with watch:
        loop.run(watch)
    return loop, watch


def test_what_is_recorded_is_what_the_loop_sees(watched: tuple[Loop, Watch]) -> None:
    loop, watch = watched
    history = watch.run.history
    loss, norm, first, second = zip(*loop.seen, strict=True)
    assert history.loss.tolist() == list(loss)
    assert history.lr.tolist() == list(first)
    assert history.metrics["lr_1"].tolist() == list(second)
    assert history.metrics["doubled"].tolist() == [2 * value for value in loss]
    np.testing.assert_allclose(history.grad_norm, norm, rtol=1e-6)  # 7e-8 was seen


def test_the_path_is_that_of_the_principal_components_of_all_points(
    watched: tuple[Loop, Watch],
) -> None:
    loop, watch = watched
    expected, path = principal_components(loop.points), watch.run.history.x
    signs = np.sign((expected * path).sum(0))
    np.testing.assert_allclose(path, expected * signs, atol=1e-12)  # 1e-15 was seen


def test_training_does_not_change_by_a_bit(watched: tuple[Loop, Watch]) -> None:
    loop, alone = watched[0], Loop()
    alone.run(None)
    for watched_tensor, tensor in zip(
        loop.model.state_dict().values(), alone.model.state_dict().values(), strict=True
    ):
        assert torch.equal(watched_tensor, tensor)
    assert loop.seen == alone.seen


def test_the_sharpness_is_that_of_the_hessian_in_evaluation_mode(
    watched: tuple[Loop, Watch],
) -> None:
    history = watched[1].run.history
    at = np.flatnonzero(np.isfinite(history.metrics["sharpness"]))
    assert at.tolist() == [0, 20]
    loop = Loop()
    loop.model(loop.x[torch.randint(0, 64, (16,))])  # updates the running statistics
    names = [name for name, _ in loop.model.named_parameters()]
    shapes = [p.shape for p in loop.model.parameters()]

    def loss(weights: Tensor) -> Tensor:
        parts = weights.split([math.prod(shape) for shape in shapes])
        named = {n: w.view(s) for n, w, s in zip(names, parts, shapes, strict=True)}
        out: Any = torch.func.functional_call(loop.model.eval(), named, (loop.x,))
        return CROSS_ENTROPY(out, loop.y)

    hessian: Any = torch.autograd.functional.hessian(loss, weights_of(loop.model))
    largest = float(torch.linalg.eigvalsh(hessian)[-1])
    assert history.metrics["sharpness"][0] == pytest.approx(largest, rel=1e-3)  # 2e-6 was seen
    limits = (history.metrics[name][20] for name in ("two_over_lr", "stability_limit"))
    assert [*limits] == pytest.approx([2 / history.lr[20], 3.8 / history.lr[20]])


def test_readers_of_runs_read_it(watched: tuple[Loop, Watch], tmp_path: Path) -> None:
    run = watched[1].run
    assert repr(run).startswith("Recorded run(Sequential, SGD, lr=0.1: max_steps at step 40")
    assert run.outcome.diagnosis in ("noisy", "descending")
    assert run.outcome.metrics["path_every"] == 1
    assert run.plot("trajectory").axes[0].get_xlabel().startswith("principal component 1 (")
    assert run.plot("stability").axes[0].get_ylabel() == "sharpness"
    view = run.view()
    view.save(tmp_path / "view.html")
    assert b"was watched: it is known along the path only" in view.messages["catalogue"]
    assert b"principal component 1 (" in view.messages["catalogue"]
    assert {p.name for p in watched[1].directory.iterdir()} >= {"trajectory.png", "stability.png"}


def test_the_summary_says_how_it_went(watched: tuple[Loop, Watch]) -> None:
    lines = watched[1].summary.splitlines()
    assert lines[0] == "max_steps: the loop ended after 40 steps"
    titles = [line[2:16].strip() for line in lines[2:]]
    expected = ["loss", "gradient norm", "lr", "sharpness", "doubled", "path", "files", "viewer"]
    assert titles == expected


def fit(model: nn.Module, optimizer: torch.optim.Optimizer, factor: float = 1.0) -> Tensor:
    """Take a step towards a linear function."""
    dtype = next(model.parameters()).dtype
    x = torch.linspace(-1, 1, 24, dtype=torch.float64).view(8, 3).to(dtype)
    optimizer.zero_grad()
    loss = MSE(model(x), x.sum(1, keepdim=True)) * factor
    loss.backward()
    optimizer.step()
    return loss


@pytest.fixture
def linear(tmp_path: Path) -> Callable[..., Any]:
    """Make a linear model, an optimizer for it, and a watch of both."""

    def make(make_optimizer: Any = torch.optim.Adam, dtype: Any = torch.float32, **how: Any) -> Any:
        torch.manual_seed(0)
        model = nn.Linear(3, 1, dtype=dtype)
        optimizer = make_optimizer(model.parameters(), lr=how.pop("lr", 0.1))
        how = {"figures": False, "quiet": True, **how}
        return model, optimizer, gdlab.watch(model, optimizer, tmp_path / "r", **how)

    return make


@pytest.mark.parametrize(
    ("error", "status", "diagnosis"),
    [
        (ValueError("no more data"), "FAILED", None),
        (KeyboardInterrupt(), "INTERRUPTED", None),
        (SystemExit(3), "INTERRUPTED", None),
    ],
)
def test_an_exception_leaves_a_run_and_goes_on(
    linear: Callable[..., Any], error: BaseException, status: str, diagnosis: str | None
) -> None:
    model, optimizer, watch = linear()
    with pytest.raises(type(error)), watch:
        for _ in range(5):
            watch.step(fit(model, optimizer))
        raise error
    end = watch.run.outcome
    assert (end.status.name, end.diagnosis, end.steps) == (status, diagnosis, 5)
    assert end.reason.startswith(f"{type(error).__name__} after 5 steps")
    assert len(watch.run.history) == 5
    assert not optimizer._optimizer_step_pre_hooks


def test_a_loss_that_is_not_finite_is_a_divergence(linear: Callable[..., Any]) -> None:
    closure = {"closure": lambda: MSE(model(torch.ones(4, 3)), torch.zeros(4, 1))}
    model, optimizer, watch = linear(torch.optim.SGD, lr=1e4, sharpness_every=2, **closure)
    with watch:
        for _ in range(30):
            watch.step(fit(model, optimizer))
    end, history = watch.run.outcome, watch.run.history
    assert (end.status.name, end.diagnosis) == ("DIVERGED", "unstable")
    assert "lr=10000 is above 2/λ_max" in str(end.explanation)
    assert np.isfinite(history.loss).sum() == end.steps + 1 < len(history) == 30
    assert np.isfinite(history.x).all(1).sum() == end.steps + 1


STILL = "standing still: the loss has not changed in the last"
# the type of the weights, lr, factor of the loss, steps; the diagnosis, what is said of the loop
ENDS = [
    (torch.float32, 1e-12, 1, 9, "standstill", "steps change it by less than float32 resolves"),
    (torch.float64, 1e-12, 1, 9, "descending", "still falling"),
    (torch.float32, 0.0, 1, 9, "standstill", f"{STILL} 8 steps, since lr is 0; the gradient norm"),
    (torch.float32, 0.1, 0, 9, "standstill", f"{STILL} 8 steps, since the gradient is 0"),
    (torch.float32, 0.1, 1, 1, None, "the loop ended after 1 step"),
    (torch.float32, 1e30, 1, 9, None, "from step 1 of the loop on, after a step with lr=1e+30 and"),
    (torch.float64, 1e3, 1, 99, "growing", "lr=1000 is too large"),
    (torch.float64, 1e150, 1, 9, "growing", "lr=1e+150 is too large"),
    (torch.float32, 0.1, math.nan, 9, None, "the loss is not finite from step 0 of the loop on"),
]


@pytest.mark.parametrize(("dtype", "lr", "factor", "steps", "diagnosis", "said"), ENDS)
def test_what_is_said_of_the_end(
    dtype: torch.dtype,
    lr: float,
    factor: float,
    steps: int,
    diagnosis: str | None,
    said: str,
    linear: Callable[..., Any],
) -> None:
    model, optimizer, watch = linear(torch.optim.SGD, dtype, lr=lr)
    with watch:
        for _ in range(steps):
            watch.step(fit(model, optimizer, factor))
    end = watch.run.outcome
    assert end.diagnosis == diagnosis
    assert said in (end.explanation or end.reason)


def test_the_lr_of_a_loop_is_that_from_which_its_schedule_starts(
    linear: Callable[..., Any],
) -> None:
    model, optimizer, watch = linear(torch.optim.SGD, lr=0.5)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 4)
    with watch:
        for _ in range(4):
            watch.step(fit(model, optimizer))
            schedule.step()
    assert watch.run.history.lr.tolist() == [0.0, 0.125, 0.25, 0.375]
    assert watch.run.config["lr"] == 0.5
    assert "lr=0.5" in repr(watch.run)


def test_nothing_is_left_of_a_loop_without_a_step(linear: Callable[..., Any]) -> None:
    _, _, watch = linear()
    with pytest.raises(ZeroDivisionError), watch:
        raise ZeroDivisionError
    assert not watch.directory.exists()
    with pytest.raises(gdlab.RecordError, match="no loop of a step has ended"):
        _ = watch.run


def test_a_loop_that_records_nothing_is_told(linear: Callable[..., Any]) -> None:
    model, optimizer, watch = linear()
    with pytest.warns(UserWarning, match=r"nothing was recorded; call watch\.step\(loss\)"), watch:
        fit(model, optimizer)
    assert not watch.directory.exists()


def test_a_loss_that_never_was_finite_has_no_best(linear: Callable[..., Any]) -> None:
    model, optimizer, watch = linear()
    with watch:
        fit(model, optimizer)
        watch.step(math.nan)
    assert re.search(r"^ +loss +nan$", watch.summary, re.MULTILINE)


def test_the_sharpness_of_sparse_gradients(tmp_path: Path) -> None:
    table = nn.Embedding(4, 2, sparse=True)
    optimizer = torch.optim.SparseAdam(table.parameters(), lr=0.1)

    def closure() -> Tensor:  # Row 1 occurs three times: its curvature is 3 · 2.
        return table(torch.tensor([1, 1, 2, 1])).square().sum()

    how: dict[str, Any] = {"closure": closure, "figures": False, "quiet": True}
    with gdlab.watch(table, optimizer, tmp_path / "r", **how) as watch:
        loss = closure()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert watch.run.history.metrics["sharpness"][0] == pytest.approx(6)


def test_an_optimizer_with_a_closure_is_seen_at_its_first_call(linear: Callable[..., Any]) -> None:
    model, optimizer, watch = linear(torch.optim.LBFGS)
    x, norms = torch.eye(3), []

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = MSE(model(x), x.sum(1, keepdim=True))
        loss.backward()
        return loss

    with watch:
        for _ in range(3):
            closure()
            norms.append(norm_of(model).item())
            watch.step(optimizer.step(closure))
    assert watch.run.history.grad_norm == pytest.approx(norms)


def test_steps_that_a_scaler_skips_stay_and_are_counted(linear: Callable[..., Any]) -> None:
    model, optimizer, watch = linear(torch.optim.SGD)
    scaler, x = torch.amp.GradScaler("cpu", init_scale=16.0), torch.eye(3)
    with watch:
        for step in range(5):
            optimizer.zero_grad()
            loss = model(x).square().mean()
            scaler.scale(loss * (math.inf if step in (0, 3) else 1)).backward()
            scaler.step(optimizer)
            scaler.update()
            watch.step(loss)
    path, norm = watch.run.history.x[:, 0], watch.run.history.grad_norm
    assert (path[0] == path[1], path[3] == path[4], path[1] < path[2] < path[3]) == (True,) * 3
    assert np.isfinite(norm).tolist() == [False, True, True, False, True]
    assert watch.run.outcome.metrics["skipped_steps"] == 2


def test_parameters_that_are_added_or_unfrozen_were_there_before(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1)).double()
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)
    points = []
    with gdlab.watch(model, optimizer, tmp_path / "r", figures=False, quiet=True) as watch:
        for step in range(8):
            if step == 4:
                model[0].requires_grad_(True)
                optimizer.add_param_group({"params": model[0].parameters(), "lr": 0.01})
            points.append(weights_of(model))
            watch.step(fit(model, optimizer))
    expected, history = principal_components(points), watch.run.history
    np.testing.assert_allclose(np.abs(history.x), np.abs(expected), atol=1e-12)  # 3e-16 was seen
    assert np.isnan(history.metrics["lr_1"]).sum() == 4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_parameters_of_half_precision(linear: Callable[..., Any], dtype: torch.dtype) -> None:
    model, optimizer, watch = linear(torch.optim.SGD, dtype)
    with watch:
        for _ in range(6):
            watch.step(fit(model, optimizer))
    assert watch.run.history.grad_norm[0] > watch.run.history.grad_norm[-1] > 0
    assert watch.run.outcome.metrics["path_variance"] == pytest.approx(1, abs=0.01)  # 0.9996


def test_several_optimizers_are_one_run(tmp_path: Path) -> None:
    model, norm = nn.Linear(3, 1), math.nan
    first, second = torch.optim.SGD([model.weight], lr=0.1), torch.optim.Adam([model.bias], lr=0.2)
    with gdlab.watch(model, [first, second], tmp_path / "r", figures=False, quiet=True) as watch:
        for _ in range(3):
            loss = model(torch.eye(3)).square().mean()
            loss.backward()
            norm = norm_of(model).item()
            first.step()
            second.step()
            watch.step(loss)
    history = watch.run.history
    assert (history.lr[0], history.metrics["lr_1"][0]) == (0.1, 0.2)
    assert history.grad_norm[-1] == pytest.approx(norm)


def test_a_folder_that_holds_a_run_is_refused(linear: Callable[..., Any]) -> None:
    model, optimizer, watch = linear()
    with watch:
        watch.step(fit(model, optimizer))
        with pytest.raises(gdlab.SettingError, match=r"^directory=.*: is not empty"):
            linear()[2].__enter__()
    with pytest.raises(gdlab.SettingError, match="a watch is used once"):
        watch.__enter__()
    with pytest.raises(gdlab.SettingError, match=r"inside `with gdlab\.watch"):
        watch.step(1.0)


MODEL = nn.Linear(2, 1)
SGD = torch.optim.SGD(MODEL.parameters(), lr=0.1)
# the arguments of watch, and what the error says of them
BAD: list[tuple[dict[str, Any], str]] = [
    ({"model": 3}, "model: must be a torch.nn.Module, was an int"),
    (
        {"optimizer": "adam"},
        "optimizer: must be a torch.optim.Optimizer or a list of them, was",
    ),
    ({"optimizer": []}, "optimizer: must be a torch.optim.Optimizer or a list of them, was []"),
    ({"optimizer": [SGD, SGD]}, "optimizer: the list has the same optimizer twice"),
    ({"model": nn.LazyLinear(2)}, "model: weight has no shape yet (a lazy module); call the model"),
    ({"model": nn.Linear(2, 2)}, "optimizer: holds no parameter of the model"),
    ({"directory": 3}, "directory=3: must be a string"),
    ({"closure": 3}, "closure: must be a function, was an int"),
    ({"sharpness_every": 5}, "sharpness_every=5: needs closure, a function that returns the loss"),
    ({"closure": print, "sharpness_every": 0}, "sharpness_every=0: must be a whole number ≥ 1"),
    ({"memory": 0}, "memory=0: must be a whole number ≥ 1"),
]


@pytest.mark.parametrize(("given", "message"), BAD)
def test_a_bad_argument_is_refused_in_a_line(given: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"model": MODEL, "optimizer": SGD, "directory": "r", **given}
    with pytest.raises(gdlab.SettingError) as caught:
        gdlab.watch(**arguments)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value).splitlines()) == 1


def backward_too() -> Tensor:
    """A closure as LBFGS takes it."""
    loss = MODEL(torch.eye(2)).square().mean()
    loss.backward()
    return loss


# what a closure returns, what is told to step, and what the error says
BAD_STEPS: list[tuple[Callable[[], Any] | None, dict[str, Any], str]] = [
    (None, {"loss": "low"}, "loss: must be one number, was a str"),
    (None, {"loss": torch.ones(3)}, "loss: must be one number, was a tensor of shape [3]"),
    (None, {"loss": 1.0, "status": 3}, "status: is recorded by the watch itself"),
    (None, {"loss": 1.0, "lr_1": 3}, "lr_1: is recorded by the watch itself"),
    (None, {"loss": 1.0, "accuracy": "x"}, "accuracy: must be one number, was a str"),
    (lambda: 3, {}, "closure: must return the loss, a tensor of one number, not an int"),
    (lambda: MODEL(torch.eye(2)), {}, "closure: must return the loss, a tensor of one number, not"),
    (lambda: torch.ones(()), {}, "closure: must return a loss that depends on the weights"),
    (backward_too, {}, "closure: must return the loss without calling backward"),
]


@pytest.mark.parametrize(("closure", "given", "message"), BAD_STEPS)
def test_a_bad_step_is_refused_in_a_line(
    closure: Any, given: dict[str, Any], message: str, tmp_path: Path
) -> None:
    optimizer = torch.optim.SGD(MODEL.parameters(), lr=0.1)
    watch = gdlab.watch(MODEL, optimizer, tmp_path / "r", closure=closure, quiet=True)
    with pytest.raises(gdlab.SettingError) as caught, watch:
        MODEL(torch.eye(2)).sum().backward()
        optimizer.step()
        watch.step(**given)
    assert str(caught.value).startswith(message)
    assert not watch.directory.exists()


def test_calls_before_the_step_are_refused_at_once(linear: Callable[..., Any]) -> None:
    model, _, watch = linear()
    with pytest.raises(gdlab.SettingError, match=r"comes after optimizer\.step\(\)"), watch:
        watch.step(model(torch.ones(3)).sum())


def test_networks_whose_fast_kernels_have_no_second_derivatives() -> None:
    torch.manual_seed(0)
    attention = nn.TransformerEncoderLayer(4, 1, 8, batch_first=True)
    recurrent, x = nn.LSTM(4, 3, batch_first=True), torch.randn(2, 3, 4)
    for model in (attention, recurrent):
        random_state = torch.get_rng_state()

        def closure(model: nn.Module = model) -> Tensor:
            out: Any = model(x)
            return (out[0] if isinstance(out, tuple) else out).square().mean()

        meter = SharpnessMeter(closure, model, lambda model=model: [*model.parameters()])
        assert 0 < meter.measure() < 10
        assert model.training
        assert torch.equal(torch.get_rng_state(), random_state)
