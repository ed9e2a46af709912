"""Runs that fail, diverge or are interrupted because of a custom loss."""

import pytest
from helpers.command import QUIET, STOCK, refusal
from helpers.files import result

import gdlab
from gdlab.errors import is_out_of_memory

FAILING = '''
import gdlab


class Third(gdlab.Loss):
    """Fails at its fourth value, that of step 3."""

    dim = 2
    start = (1.0, 1.0)
    seen = 0

    def __call__(self, x):
        type(self).seen += 1
        if self.seen == 4:
            raise RuntimeError("out of luck")
        return x.square().sum(-1)


class Shape(Third):
    def __call__(self, x):
        return x.square()


class OffPath(Third):
    """Fails when it is evaluated for a picture."""

    def __call__(self, x):
        if x.numel() > 64:
            raise RuntimeError("not here")
        return x.square().sum(-1)
'''


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ('RuntimeError("out of luck")', "RuntimeError after step 2: out of luck"),
        ("SystemExit(3)", "SystemExit after step 2: 3"),
    ],
)
def test_a_run_that_fails_keeps_its_files_and_says_why(raised, said, gd, here):
    (here / "mine.py").write_text(FAILING.replace('RuntimeError("out of luck")', raised))
    own = ("loss=custom", "loss._target_=mine.Third", "engine.mode=eager")  # it counts its calls
    done = gd(*own, "lr=0.25", "hydra.run.dir=run")
    assert (done.code, done.err) == (1, "")
    assert done.out.startswith(f"failed: {said} (mine.py, line ")
    assert done.out.count("mine.py") == 1
    kept = result(here / "run")
    assert (kept["status"], kept["steps"], kept["x"]) == ("failed", 2, [0.25, 0.25])
    assert kept["reason"].startswith(said)
    history = gdlab.load("run").history()
    assert history["x0"].tolist() == [1.0, 0.5, 0.25]
    assert history["loss"].tolist() == [2.0, 0.5, 0.125]


def test_a_wrong_shape_of_the_values_fails_with_both_shapes(gd, here):
    (here / "mine.py").write_text(FAILING)
    done = gd("loss=custom", "loss._target_=mine.Shape", "hydra.run.dir=run")
    assert (done.code, done.err) == (1, "")
    assert (
        "the loss must return values of shape (R,) for points (R, 2), and gave shape (R, 2)"
        in done.out
    )
    kept = result(here / "run")
    assert (kept["status"], kept["steps"], kept["final_loss"]) == ("failed", 0, None)


def test_a_picture_that_cannot_be_drawn_is_only_a_warning(gd, here):
    (here / "mine.py").write_text(FAILING)
    done = gd("loss=custom", "loss._target_=mine.OffPath", "steps=3", "hydra.run.dir=run")
    assert done.code == 0
    assert done.err == "warning: the trajectory is not drawn (RuntimeError: not here)\n"
    assert result(here / "run")["status"] == "max_steps"
    assert not (here / "run" / "trajectory.png").exists()


def test_a_start_that_is_not_finite_is_a_diverged_run(gd, here):
    source = FAILING.replace("start = (1.0, 1.0)", 'start = (float("nan"), 1.0)')
    (here / "mine.py").write_text(source)
    done = gd("loss=custom", "loss._target_=mine.Third", "hydra.run.dir=run")
    assert done.out.startswith("diverged: the loss, its gradient or the point is not finite at")
    kept = result(here / "run")
    assert (kept["status"], kept["steps"], kept["x"]) == ("diverged", 0, [None, 1.0])


def test_a_sweep_with_a_failed_run_exits_with_1(gd, here):
    (here / "mine.py").write_text(FAILING)
    own = ("loss=custom", "loss._target_=mine.Third,mine.OffPath", "steps=5", *QUIET)
    done = gd("-m", *own, "hydra.sweep.dir=sweep")
    assert done.code == 1
    statuses = [result(path.parent)["status"] for path in here.glob("sweep/*/result.json")]
    assert sorted(statuses) == ["failed", "max_steps"]


def test_an_interrupt_ends_a_sweep(gd, here):
    source = FAILING.replace(
        'raise RuntimeError("out of luck")', "import signal; signal.raise_signal(signal.SIGINT)"
    )
    (here / "mine.py").write_text(source)
    own = (
        "loss=custom",
        "loss._target_=mine.Third",
        "stop.grad_tol=0",
        "engine.mode=eager",
        *QUIET,
    )
    done = gd("-m", *own, *STOCK, "engine.mode=eager", "lr=0.25,0.125", "hydra.sweep.dir=sweep")
    assert done.code == 130
    (only,) = here.glob("sweep/*/result.json")
    assert result(only.parent)["status"] == "interrupted"


# Memory that is exhausted

EXHAUSTED: list[Exception] = [
    MemoryError(),
    MemoryError("Unable to allocate 45.8 MiB for an array"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("can't start new thread"),
]


@pytest.mark.parametrize("error", EXHAUSTED, ids=str)
def test_an_error_that_says_that_memory_is_exhausted_is_known(error):
    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_out_of_memory_is_one_line_with_the_directory(gd, here, monkeypatch):
    def fail(*arguments: object, **options: object) -> None:
        raise EXHAUSTED[2]

    monkeypatch.setattr("gdlab.cli.sweep.run_sweep", fail)
    said = refusal(gd("-m", "lr=0.1,0.2", "hydra.sweep.dir=s"), 1)
    assert said.startswith("error: s: out of memory (RuntimeError: DefaultCPUAllocator: can't")
    assert said.endswith("; resume=s continues the sweep\n")
    monkeypatch.setattr("gdlab.runs.checks.Rows.of", fail)
    assert refusal(gd("steps=3"), 1).startswith("error: out of memory (RuntimeError: Default")
