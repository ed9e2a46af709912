"""Torch optimizers, torch's own and another library's, as optimizers."""

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_optimizer
import torch
from helpers.batches import assert_same_bits, finish, make_batch, rows_of, why_eager
from helpers.gradients import relative

import gdlab
from gdlab.engine.batch import Batch, Stop
from gdlab.engine.status import Status
from gdlab.errors import SettingError
from gdlab.losses import MLP, Quadratic, Rosenbrock
from gdlab.optimizers import Lookahead, Torch
from gdlab.schedules import Exponential
from optimizers.oracles import stepped_path

MATRICES = MLP(widths=(3,), count=20)

# Torch's own: class, options, lr
OWN: list[tuple[str, dict[str, Any], float]] = [
    ("SGD", {"momentum": 0.9, "nesterov": True}, 1e-4),
    ("Adam", {"amsgrad": True, "betas": [0.5, 0.9]}, 0.02),
    ("AdamW", {}, 0.02),
    ("NAdam", {"betas": [0.9, 0.99]}, 0.02),
    ("RAdam", {}, 0.02),
    ("Adamax", {}, 0.02),
    ("Adadelta", {}, 1.0),
    ("Adagrad", {"lr_decay": 0.1}, 0.02),
    ("Adafactor", {}, 0.02),
    ("RMSprop", {"centered": True, "momentum": 0.5}, 0.01),
    ("Rprop", {"etas": [0.4, 1.3]}, 0.01),
    ("ASGD", {"t0": 3.0}, 1e-3),
]


@pytest.mark.parametrize("loss", [Rosenbrock(), MATRICES], ids=["rosenbrock", "mlp"])
@pytest.mark.parametrize(("name", "options", "lr"), OWN, ids=[case[0] for case in OWN])
def test_steps_are_those_of_a_loop_by_hand(name, options, lr, loss):
    optimizer = Torch(cls=f"torch.optim.{name}", kwargs=options)
    (run,) = finish(make_batch(loss, optimizer, lr, steps=30, stop=Stop(grad_tol=0)))
    assert run.outcome.status == Status.MAX_STEPS
    theirs = stepped_path(getattr(torch.optim, name), options, loss, lr, 30)
    # Observed 0 on Rosenbrock; on the MLP 1e-15 at most: a batch of gradients sums in its own way.
    assert relative(run.history.x, theirs) <= 1e-14
    assert not np.array_equal(run.history.x[0], run.history.x[-1])


def test_single_precision_is_that_of_torch():
    loss = Rosenbrock().to(torch.float32, torch.device("cpu"))
    batch = make_batch(loss, Torch(cls="torch.optim.NAdam"), 0.02, steps=30)
    batch = replace(batch, lr=batch.lr.float(), noise=batch.noise.float())
    theirs = stepped_path(torch.optim.NAdam, {}, loss, 0.02, 30)
    assert relative(finish(batch)[0].history.x, theirs) <= 1e-5  # observed 0


def some_end_early(optimizer: Torch | Lookahead, steps: int = 100) -> Batch:
    """Runs of which some diverge, some reach the target and some go on, across chunks."""
    lr = np.geomspace(1e-3, 30, 9)
    batch = make_batch(Rosenbrock(), optimizer, lr, steps=steps, schedule=Exponential(gamma=0.999))
    return replace(batch, stop=Stop(grad_tol=0, loss=1.0, max_loss=1e4))


COUPLED = "pytorch_optimizer.Prodigy"
TOGETHER = ["torch.optim.Adam", "torch.optim.SGD", "pytorch_optimizer.Lion", COUPLED]


@pytest.mark.parametrize("name", TOGETHER)
def test_a_row_is_its_single_run(name):
    batch = some_end_early(Torch(cls=name))
    together = finish(batch)
    assert len({run.outcome.steps for run in together}) > 2  # rows leave at several chunks
    for row, run in enumerate(together):
        assert run.outcome.status != Status.FAILED, run.outcome.reason
        assert_same_bits(run, finish(rows_of(batch, [row]))[0])


def test_a_wrapper_round_a_torch_optimizer_is_its_single_run():
    batch = some_end_early(Lookahead(inner=Torch(cls="torch.optim.Adam"), k=3))
    together = finish(batch)
    assert len({run.outcome.steps for run in together}) > 1
    for row in (0, 4, 8):
        assert_same_bits(together[row], finish(rows_of(batch, [row]))[0])


def test_groups_that_mix_are_told_apart_by_trying():
    layout, dtype = Rosenbrock().layout, torch.float64
    assert Torch(cls="pytorch_optimizer.Lion").why_not_batched(layout, dtype) is None
    why = Torch(cls=COUPLED).why_not_batched(layout, dtype)
    assert why == f"{COUPLED}: the parameter groups of one have a say in each other's steps"
    assert Torch(cls="torch.optim.LBFGS").why_not_batched(layout, dtype) == (
        "torch.optim.LBFGS: its step takes a closure"
    )


def test_a_closure_evaluates_the_loss_of_its_own_row():
    options: dict[str, Any] = {"max_iter": 4, "history_size": 3}
    optimizer = Torch(cls="torch.optim.LBFGS", kwargs=options)
    batch = make_batch(Rosenbrock(), optimizer, [0.05, 0.1, 0.2], steps=12, stop=Stop(loss=1.0))
    for row, run in enumerate(finish(batch)):
        lr, steps = float(batch.lr[row]), run.outcome.steps
        x = torch.as_tensor(Rosenbrock().start).clone().requires_grad_()
        optimizer, points, evaluations = torch.optim.LBFGS([x], lr=lr, **options), [], 0

        def closure(x=x, optimizer=optimizer) -> torch.Tensor:
            nonlocal evaluations
            evaluations += 1
            optimizer.zero_grad()
            loss = Rosenbrock()(x[None])[0]
            loss.backward()
            return loss

        for _ in range(steps):
            points.append(x.detach().numpy().copy())
            optimizer.step(closure)  # type: ignore[arg-type]  # as torch's own examples do
        points.append(x.detach().numpy().copy())
        assert relative(run.history.x, np.array(points)) <= 1e-13  # observed 0
        # Torch evaluates first where the run has been measured already; its last point is not.
        assert run.outcome.evaluations == evaluations + 1
        assert_same_bits(run, finish(rows_of(batch, [row]))[0])


# Everything in pytorch_optimizer that takes only lr: what is not listed runs.
REFUSED = {
    "AdaGO": "cannot be made (ValueError: `use_muon` must be set.)",
    "AdaHessian": "cannot take a step (RuntimeError: element 0 of tensors does not require grad",
    "AdaMuon": "cannot be made (ValueError: `use_muon` must be set.)",
    "DASH": "draws at random as it steps",
    "DeMo": "cannot be made (ImportError: You need to install `einops` to use `TransformDCT`)",
    "DistributedMuon": "cannot be made (ValueError: `use_muon` must be set.)",
    "FAdam": "cannot take a step (RuntimeError: expected dtype float for `end`",
    "Gravity": "draws at random as it steps",
    "Kron": "draws at random as it steps",
    "Muon": "cannot be made (ValueError: `use_muon` must be set.)",
    "MuonClip": "cannot be made (ValueError: `use_muon` must be set.)",
    "NorMuon": "cannot be made (ValueError: `use_muon` must be set.)",
    "SPAM": "draws at random as it steps",
    "SophiaH": "cannot take a step (RuntimeError: element 0 of tensors does not require grad",
    "SpectralSphere": "cannot take a step (ValueError: SpectralSphere only supports 2D",
}
APART = {
    "AdaBound", "AdaGC", "AdamS", "Adai", "ApolloDQN", "DAdaptAdaGrad", "DAdaptAdam",
    "DAdaptAdan", "DAdaptLion", "DAdaptSGD", "LBFGS", "LoRARite", "MARS", "Prodigy",
}  # fmt: skip
STILL = {"AdaShift", "SaRA"}
"""Those that wait (10 gradients) or move large parameters alone: they stay where they are."""


def of_the_library() -> list[str]:
    """Its optimizers that need parameters alone, and take lr."""
    found = []
    for name, kind in inspect.getmembers(pytorch_optimizer, inspect.isclass):
        if issubclass(kind, torch.optim.Optimizer):
            parameters = inspect.signature(kind).parameters.values()
            needed = [p.name for p in parameters if p.default is p.empty and p.kind < 2]
            if needed == ["params"] and "lr" in {p.name for p in parameters}:
                found.append(name)
    return found


def test_the_lists_name_optimizers_of_the_library():
    assert set(REFUSED) | APART <= set(of_the_library())
    assert len(of_the_library()) >= 110  # observed 119


@pytest.mark.parametrize("name", of_the_library())
def test_an_optimizer_of_pytorch_optimizer_runs_or_says_why_not(name):
    cls = f"pytorch_optimizer.{name}"
    if name in REFUSED:
        with pytest.raises(SettingError) as raised:
            finish(make_batch(MATRICES, Torch(cls=cls), 0.01, steps=2))
        assert REFUSED[name] in str(raised.value)
        return
    optimizer = Torch(cls=cls)
    assert (optimizer.why_not_batched(MATRICES.layout, torch.float64) is not None) == (
        name in APART
    )
    batch = make_batch(MATRICES, optimizer, [0.01, 0.002], steps=8, stop=Stop(grad_tol=0))
    for row, run in enumerate(finish(batch)):
        assert run.outcome.status == Status.MAX_STEPS, run.outcome.reason
        assert np.isfinite(run.history.x).all()
        assert np.array_equal(run.history.x[0], run.history.x[-1]) == (name in STILL)
        (alone,) = finish(rows_of(batch, [row]))
        # A matrix product rounds by the number of rows. Observed 5e-13 at most.
        np.testing.assert_allclose(run.history.x, alone.history.x, rtol=1e-9, atol=1e-12)


LINES = [
    ({"cls": "Adam"}, "cls=Adam: must be the dotted name of a subclass of torch.optim.Optimizer"),
    ({"cls": "os.path.join"}, "cls=os.path.join: must be the dotted name of a subclass"),
    ({"cls": "torch.optim.Adamm"}, "cls=torch.optim.Adamm: torch.optim has no Adamm"),
    ({"cls": "pytorch_optimizer.AliG"}, "cls=pytorch_optimizer.AliG: takes no lr"),
    ({"kwargs": {"beta": [0.9, 0.9]}}, "did you mean kwargs.betas?"),
    ({"kwargs": {"lr": 1}}, "kwargs.lr=1: is the setting lr"),
    (
        {"kwargs": {"eps": -1.0, "betas": [0.5, 0.9]}},
        "kwargs.eps=-1.0, by default 1e-08: torch.optim.Adam: cannot be made (ValueError: Invalid",
    ),
    ({"kwargs": {"betas": "much"}}, "kwargs.betas=much, by default [0.9,0.999]: torch.optim.Adam:"),
    (
        {"kwargs": {"eps": "tiny", "betas": [0.9]}},
        "kwargs={eps:tiny,betas:[0.9]}: torch.optim.Adam: cannot be made (TypeError",
    ),
    (
        {"cls": "torch.optim.SGD", "kwargs": {"nesterov": True}},
        "kwargs.nesterov=true, by default false: torch.optim.SGD: cannot be made (ValueError: Nest",
    ),
]


@pytest.mark.parametrize(("options", "line"), LINES)
def test_what_cannot_be_is_refused_in_a_line(options, line):
    with pytest.raises(SettingError) as raised:
        Torch(**options)
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)


def test_it_has_no_compiled_form():
    batch = replace(make_batch(Quadratic(), Torch()), mode="compiled")
    why = why_eager(batch)
    assert why == "a torch optimizer has no compiled form"
    assert why_eager(replace(batch, optimizer=Lookahead(inner=Torch()))) == why
    assert finish(batch)[0].outcome.mode == "eager"


def test_on_the_command_line(here, gd):
    done = gd(
        "optimizer=torch", "optimizer.cls=torch.optim.NAdam",
        "optimizer.kwargs.betas=[0.9,0.99]", "steps=3", "hydra.run.dir=run",
    )  # fmt: skip
    assert done.code == 0, done
    theirs = stepped_path(torch.optim.NAdam, {"betas": (0.9, 0.99)}, Quadratic(), 0.1, 3)
    found = gdlab.load("run").history()[["x0", "x1"]].to_numpy()
    assert relative(found, theirs) <= 1e-14  # observed 0
    done = gd("optimizer=torch", "optimizer.cls=torch.optim.Muon")
    assert done.code == 2
    assert done.err.startswith("error: optimizer.cls=torch.optim.Muon: cannot take a step")
    assert done.err.count("\n") == 1


def test_a_sweep_says_which_runs_had_optimizers_of_their_own(here, gd):
    words = ("-m", "optimizer=torch", "lr=0.1,0.2", "steps=3", "record.events=false")
    done = gd(*words, f"optimizer.cls=torch.optim.Adam,{COUPLED}", "hydra.sweep.dir=s")
    assert done.code == 0, done
    (line,) = (line for line in done.out.splitlines() if "run by run" in line)
    assert COUPLED in line
    assert "torch.optim.Adam" not in line
    done = gd(*words, "optimizer.cls=torch.optim.Adam", "hydra.sweep.dir=t")
    assert "run by run" not in done.out


def test_what_is_read_back_imports_no_class_that_was_not_named_again(here, gd):
    Path("mine.py").write_text(
        "import torch\nclass Mine(torch.optim.SGD):\n    pass\n", encoding="utf-8"
    )
    words = ("-m", "optimizer=torch", "lr=0.1,0.2", "steps=3", "record.events=false")
    assert gd(*words, "optimizer.cls=mine.Mine", "hydra.sweep.dir=s").code == 0
    done = gd("resume=s")
    assert done.code == 2
    assert "its plan names mine.Mine; to run that class, name it again" in done.err
    assert gd("resume=s", "optimizer.cls=mine.Mine").code == 0
    assert gd(*words, "optimizer.cls=torch.optim.SGD", "hydra.sweep.dir=t").code == 0
    assert gd("resume=t").code == 0
