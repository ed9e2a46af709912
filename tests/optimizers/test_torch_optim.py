"""`Torch`: optimizers from torch and from another library."""

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_optimizer
import torch
from helpers.batches import assert_same_bits, finish, make_batch, rows_of, why_eager
from helpers.command import QUIET
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

# From torch itself: class, options, lr
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
    # Observed 0 on Rosenbrock, at most 1e-15 on the MLP: a batch of gradients rounds differently.
    assert relative(run.history.x, theirs) <= 1e-12
    assert not np.array_equal(run.history.x[0], run.history.x[-1])


def test_single_precision_is_that_of_torch():
    loss = Rosenbrock().to(torch.float32, torch.device("cpu"))
    batch = make_batch(loss, Torch(cls="torch.optim.NAdam"), 0.02, steps=30)
    batch = replace(batch, lr=batch.lr.float(), noise=batch.noise.float())
    theirs = stepped_path(torch.optim.NAdam, {}, loss, 0.02, 30)
    assert relative(finish(batch)[0].history.x, theirs) <= 1e-5  # observed 0


def make_runs_that_end_early(optimizer: Torch | Lookahead, steps: int = 100) -> Batch:
    """Return runs of which some diverge, some reach the target and some go on, across chunks."""
    lr = np.geomspace(1e-3, 30, 9)
    batch = make_batch(Rosenbrock(), optimizer, lr, steps=steps, schedule=Exponential(gamma=0.999))
    return replace(batch, stop=Stop(grad_tol=0, loss=1.0, max_loss=1e4))


COUPLED = "pytorch_optimizer.Prodigy"
TOGETHER = ["torch.optim.Adam", "torch.optim.SGD", "pytorch_optimizer.Lion", COUPLED]


@pytest.mark.parametrize("name", TOGETHER)
def test_a_row_is_its_single_run(name):
    batch = make_runs_that_end_early(Torch(cls=name))
    together = finish(batch)
    assert len({run.outcome.steps for run in together}) > 2  # rows leave at several chunks
    for row, run in enumerate(together):
        assert run.outcome.status != Status.FAILED, run.outcome.reason
        assert_same_bits(run, finish(rows_of(batch, [row]))[0])


def test_a_row_of_a_wrapped_torch_optimizer_is_its_single_run():
    batch = make_runs_that_end_early(Lookahead(inner=Torch(cls="torch.optim.Adam"), k=3))
    together = finish(batch)
    assert len({run.outcome.steps for run in together}) > 1
    for row in (0, 4, 8):
        assert_same_bits(together[row], finish(rows_of(batch, [row]))[0])


def test_a_trial_detects_groups_that_affect_each_other():
    layout, dtype = Rosenbrock().layout, torch.float64
    assert Torch(cls="pytorch_optimizer.Lion").why_not_batched(layout, dtype) is None
    why = Torch(cls=COUPLED).why_not_batched(layout, dtype)
    assert why == f"{COUPLED}: its parameter groups affect each other"
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
        # Torch re-evaluates the first point, which the run has already; the run evaluates its last.
        assert run.outcome.evaluations == evaluations + 1
        assert_same_bits(run, finish(rows_of(batch, [row]))[0])


# All of pytorch_optimizer that requires no argument but the parameters; what is not listed runs.
REFUSED = {
    "AdaGO": "cannot be created (ValueError: `use_muon` must be set.)",
    "AdaHessian": "cannot take a step (RuntimeError: element 0 of tensors does not require grad",
    "AdaMuon": "cannot be created (ValueError: `use_muon` must be set.)",
    "DASH": "draws random numbers in its step",
    "DeMo": "cannot be created (ImportError: You need to install `einops` to use `TransformDCT`)",
    "DistributedMuon": "cannot be created (ValueError: `use_muon` must be set.)",
    "FAdam": "cannot take a step (RuntimeError: expected dtype float for `end`",
    "Gravity": "draws random numbers in its step",
    "Kron": "draws random numbers in its step",
    "Muon": "cannot be created (ValueError: `use_muon` must be set.)",
    "MuonClip": "cannot be created (ValueError: `use_muon` must be set.)",
    "NorMuon": "cannot be created (ValueError: `use_muon` must be set.)",
    "SPAM": "draws random numbers in its step",
    "SophiaH": "cannot take a step (RuntimeError: element 0 of tensors does not require grad",
    "SpectralSphere": "cannot take a step (ValueError: SpectralSphere only supports 2D",
}
UNBATCHED = {
    "AdaBound", "AdaGC", "AdamS", "Adai", "ApolloDQN", "DAdaptAdaGrad", "DAdaptAdam",
    "DAdaptAdan", "DAdaptLion", "DAdaptSGD", "LBFGS", "LoRARite", "MARS", "Prodigy",
}  # fmt: skip
STILL = {"AdaShift", "SaRA"}
"""Optimizers that wait (10 gradients) or move only large parameters: they do not move here."""

AMPLIFYING = {
    "Alice": (8, 1e-6),  # 2e6
    "Conda": (8, 1e-7),  # 3e5
    "LBFGS": (1, 1e-6),  # 7e5, and 3e7 after 8 steps
    "SOAP": (2, 1e-4),  # 4e7, and 1e12 after 8 steps
    "SPlus": (1, 1e-9),  # 0 because of signs, and 4e11 after the second step
}
"""Optimizers that amplify rounding too much for 8 steps at rtol 1e-9: steps to compare, and rtol.

How a matrix product rounds depends on the number of rows and on the CPU's kernels; this changes
gradients by about 3e-15. The comments give the amplification: the relative change of the points per
relative change of the gradients. All others have at most 1e3. Each rtol has a margin of 100.
"""


def list_library() -> list[str]:
    """List the optimizers of pytorch_optimizer that require only parameters and accept lr."""
    names = []
    for name, kind in inspect.getmembers(pytorch_optimizer, inspect.isclass):
        if issubclass(kind, torch.optim.Optimizer):
            parameters = inspect.signature(kind).parameters.values()
            needed = [p.name for p in parameters if p.default is p.empty and p.kind < 2]
            if needed == ["params"] and "lr" in {p.name for p in parameters}:
                names.append(name)
    return names


def test_the_lists_name_optimizers_of_the_library():
    assert set(REFUSED) | UNBATCHED <= set(list_library())
    assert len(list_library()) >= 110  # observed 119


SAMPLED = sorted({*list_library()[::2], *REFUSED, *UNBATCHED})


@pytest.mark.parametrize("name", SAMPLED)
def test_an_optimizer_of_pytorch_optimizer_runs_or_says_why_not(name):
    cls = f"pytorch_optimizer.{name}"
    if name in REFUSED:
        with pytest.raises(SettingError) as raised:
            finish(make_batch(MATRICES, Torch(cls=cls), 0.01, steps=2))
        assert REFUSED[name] in str(raised.value)
        return
    optimizer = Torch(cls=cls)
    assert (optimizer.why_not_batched(MATRICES.layout, torch.float64) is not None) == (
        name in UNBATCHED
    )
    batch = make_batch(MATRICES, optimizer, [0.01, 0.002], steps=8, stop=Stop(grad_tol=0))
    together = finish(batch)
    for run in together:
        assert run.outcome.status == Status.MAX_STEPS, run.outcome.reason
        assert np.isfinite(run.history.x).all()
        assert np.array_equal(run.history.x[0], run.history.x[-1]) == (name in STILL)
    (alone,) = finish(rows_of(batch, [1]))
    # Observed 0 to 5e-13 without the amplifying ones; L-BFGS 1e-7 after 8 steps on one CPU.
    steps, rtol = AMPLIFYING.get(name, (8, 1e-9))
    ours, expected = (each.history.x[: steps + 1] for each in (together[1], alone))
    np.testing.assert_allclose(ours, expected, rtol=rtol, atol=1e-3 * rtol)


LINES = [
    ({"cls": "Adam"}, "cls=Adam: must be the dotted name of a subclass of torch.optim.Optimizer"),
    ({"cls": "os.path.join"}, "cls=os.path.join: must be the dotted name of a subclass"),
    ({"cls": "torch.optim.Adamm"}, "cls=torch.optim.Adamm: torch.optim has no Adamm"),
    ({"cls": "pytorch_optimizer.AliG"}, "cls=pytorch_optimizer.AliG: must accept lr"),
    ({"kwargs": {"beta": [0.9, 0.9]}}, "did you mean kwargs.betas?"),
    ({"kwargs": {"lr": 1}}, "kwargs.lr=1: must be given as the setting lr"),
    (
        {"kwargs": {"eps": -1.0, "betas": [0.5, 0.9]}},
        "kwargs.eps=-1.0, by default 1e-08: torch.optim.Adam: cannot be created (ValueError: Inv",
    ),
    ({"kwargs": {"betas": "much"}}, "kwargs.betas=much, by default [0.9,0.999]: torch.optim.Adam:"),
    (
        {"kwargs": {"eps": "tiny", "betas": [0.9]}},
        "kwargs={eps:tiny,betas:[0.9]}: torch.optim.Adam: cannot be created (TypeError",
    ),
    (
        {"cls": "torch.optim.SGD", "kwargs": {"nesterov": True}},
        "kwargs.nesterov=true, by default false: torch.optim.SGD: cannot be created (ValueError: N",
    ),
]


@pytest.mark.parametrize(("options", "line"), LINES)
def test_bad_settings_are_refused_in_one_line(options, line):
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
        "optimizer.kwargs.betas=[0.9,0.99]", "steps=3", "hydra.run.dir=run", *QUIET,
    )  # fmt: skip
    assert done.code == 0, done
    theirs = stepped_path(torch.optim.NAdam, {"betas": (0.9, 0.99)}, Quadratic(), 0.1, 3)
    ours = gdlab.load("run").history()[["x0", "x1"]].to_numpy()
    assert relative(ours, theirs) <= 1e-14  # observed 0
    done = gd("optimizer=torch", "optimizer.cls=torch.optim.Muon")
    assert done.code == 2
    assert done.err.startswith("error: optimizer.cls=torch.optim.Muon: cannot take a step")
    assert done.err.count("\n") == 1


def test_a_sweep_says_which_runs_were_stepped_one_by_one(here, gd):
    words = ("-m", "optimizer=torch", "lr=0.1,0.2", "steps=3", *QUIET)
    done = gd(*words, f"optimizer.cls=torch.optim.Adam,{COUPLED}", "hydra.sweep.dir=s")
    assert done.code == 0, done
    (line,) = (line for line in done.out.splitlines() if "run by run" in line)
    assert COUPLED in line
    assert "torch.optim.Adam" not in line
    done = gd(*words, "optimizer.cls=torch.optim.Adam", "hydra.sweep.dir=t")
    assert "run by run" not in done.out


def test_resuming_imports_a_class_only_if_it_is_named_again(here, gd):
    Path("mine.py").write_text(
        "import torch\nclass Mine(torch.optim.SGD):\n    pass\n", encoding="utf-8"
    )
    words = ("-m", "optimizer=torch", "lr=0.1,0.2", "steps=3", *QUIET)
    assert gd(*words, "optimizer.cls=mine.Mine", "hydra.sweep.dir=s").code == 0
    done = gd("resume=s")
    assert done.code == 2
    assert "its plan names mine.Mine; to run that class, name it again" in done.err
    assert gd("resume=s", "optimizer.cls=mine.Mine").code == 0
    assert gd(*words, "optimizer.cls=torch.optim.SGD", "hydra.sweep.dir=t").code == 0
    assert gd("resume=t").code == 0
