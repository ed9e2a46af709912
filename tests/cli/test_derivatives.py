"""python -m gdlab.derivatives on the command line, and the same from Python."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.command import Done

from gdlab.derivatives import report
from gdlab.derivatives.__main__ import main
from gdlab.errors import SettingError
from gdlab.losses import Rosenbrock

WRONG = """
import torch
from gdlab import Loss

class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 2 * grad * x**2

class Cubes(Loss):
    dim = 2
    start = (1.0, 2.0)

    def __call__(self, x):
        return Wrong.apply(x).sum(-1)
"""


@pytest.fixture
def derive(here: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The command line in this process."""

    def call(*arguments: str) -> Done:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        assert isinstance(ended.value.code, int)
        out, err = capsys.readouterr()
        return Done(ended.value.code, out, err)

    return call


def test_a_setting_may_refer_to_hydras_configuration(
    derive: Callable[..., Done], here: Path
) -> None:
    (here / "d.csv").write_text("x,y\n1,2\n2,3\n3,5\n")
    done = derive("loss=mse", "loss.data=${hydra:runtime.cwd}/d.csv", "draw=false")
    assert (done.code, done.err) == (0, "")


def test_formulas_and_points_by_name(derive: Callable[..., Done]) -> None:
    words = ("loss=expression", "loss.formula=v*u**2", "draw=false")
    named = derive(*words, "inner={v:x-y, u : x+y}", "at={y:1,x:2}")
    assert "with u = x+y, v = x-y" in named.out
    assert named == derive(*words, "inner=[x+y,x-y]", "at=[2,1]")


def test_a_printed_report(derive: Callable[..., Done]) -> None:
    done = derive("loss=beale", "at=[1,2]", "direction=[3,4]", "step=[0.1,-0.2]", "draw=false")
    assert done.code == 0
    for title in (
        "Gradient",
        "Directional derivative",
        "Hessian",
        "Critical point",
        "Tangent plane and Taylor model",
        "Total differential",
        "Cross-sections",
        "Least squares",
    ):
        assert f"\n{title}" in f"\n{done.out}", title
    # By hand: ∇f = (171.25, 278), and that times (0.6, 0.8).
    assert "gradient  (171.25, 278)" in done.out
    assert "325.15" in done.out
    assert "z = 171.25 x0 + 278 x1 - 600.79688" in done.out
    assert not list(Path().iterdir())


def test_the_json_report_equals_that_of_python(derive: Callable[..., Done]) -> None:
    done = derive("loss=himmelblau", "at=[3,2]", "find=true", "order=3", "--json", "draw=false")
    assert done.code == 0
    data = json.loads(done.out)
    assert data.pop("files") is None
    assert data == json.loads(report("himmelblau", at=[3, 2], find=True, order=3).json())
    assert data["of"] == "himmelblau"
    assert data["gradient"]["gradient"] == [0, 0]
    assert data["critical"]["kind"] == "minimum"
    assert data["critical_points"]["total"] == 9
    assert data["hessian"]["hessian"] == [[74, 20], [20, 34]]
    assert data["order_3"]["names"][0] == "∂³f/∂x0³"


def test_the_files_of_a_report(derive: Callable[..., Done]) -> None:
    done = derive("loss=mgh/beale", "at=[1,2]")
    (directory,) = Path("runs/derivatives").iterdir()
    assert directory.name.endswith("-mgh.beale")
    assert done.out.splitlines()[-1].split() == ["files", str(directory)]
    drawn = {"contour", "local", "surface", "sections", "differences"}
    names = {path.name for path in directory.iterdir() if "tfevents" not in path.name}
    files = {f"{name}.{kind}" for name in drawn for kind in ("png", "svg")}
    assert names == {".hydra", "report.json", *files}
    assert len(list(directory.glob("*tfevents*"))) == 1
    overrides = (directory / ".hydra" / "overrides.yaml").read_text("utf-8")
    assert overrides == "- loss=mgh/beale\n- at=[1,2]\n"
    data = json.loads((directory / "report.json").read_text("utf-8"))
    assert data["gradient"]["grad_norm"] == pytest.approx(326.51273, rel=1e-7)


def test_the_directory_and_the_formats_can_be_chosen_and_it_must_be_empty(
    derive: Callable[..., Done],
) -> None:
    words = "loss=forrester", "order=1", "figures=svg,pdf", "hydra.run.dir=mine"
    assert derive(*words).code == 0
    drawn = {path.name for path in Path("mine").glob("[!.]*") if "tfevents" not in path.name}
    names = ("curve", "local", "differences")
    assert drawn == {
        "report.json",
        *(f"{name}.{kind}" for name in names for kind in ("svg", "pdf")),
    }
    again = derive(*words)
    assert again.code == 2
    reason = "is not empty, and a run needs its own; give another name or delete it"
    assert again.err == f"error: hydra.run.dir=mine: {reason}\n"


def test_compositions_and_formulas(derive: Callable[..., Done]) -> None:
    formula = "loss=expression", "loss.formula=x**2+y**2", "draw=false"
    done = derive(*formula, "path=[cos(t),sin(t)]", "t=0.5")
    assert done == derive(*formula, 'path=["cos(t)", "sin(t)"]', "t=0.5")
    assert done.code == 0
    assert "= 2*x · (-sin(t)) + 2*y · cos(t)" in done.out
    done = derive(
        "loss=expression", "loss.formula=u**2*v", 'inner=["x+y","x-y"]', "at=[2,1]", "draw=false"
    )
    assert "substituted  = (x + y)*(3*x - y)" in done.out
    done = derive('formulas=["x*y","x+y"]', "at=[1,2]", "--json", "draw=false")
    data = json.loads(done.out)
    assert data["of"] == "formulas"
    assert data["jacobian"]["autograd"] == [[2, 1], [1, 1]]


def test_a_network_is_shown_layer_by_layer(derive: Callable[..., Done]) -> None:
    done = derive("loss=mlp", "loss.widths=[3]", "loss.count=20", "draw=false")
    assert "Backpropagation, layer by layer" in done.out
    assert "2 → 3 → 2" in done.out


def test_many_dimensions_have_no_hessian(derive: Callable[..., Done]) -> None:
    words = "loss=mgh/extended_rosenbrock", "loss.dim=300"
    done = derive(*words, "direction=[1" + ",0" * 299 + "]", "step=[1e-3" + ",0" * 299 + "]")
    assert done.code == 0
    assert "\nHigh-dimensional loss" in f"\n{done.out}"
    assert "\nHessian" not in done.out
    assert "\nTotal differential" in done.out
    # At (-1.2, 1) the Hessian is [[1330, 480], [480, 200]], in each of the 150 pairs.
    assert "eigenvalue 1                  1506.3" in done.out, done.out
    (directory,) = Path("runs/derivatives").iterdir()
    assert {path.name for path in directory.glob("*.png")} == {
        "contour.png",
        "local.png",
        "sections.png",
        "surface.png",
    }
    few = derive(*words, "high_dimensional=false", "draw=false", "--json")
    assert len(json.loads(few.out)["hessian"]["hessian"]) == 300


def test_a_transformed_loss_is_another_function(derive: Callable[..., Done]) -> None:
    done = derive("loss=sphere", "loss.dim=2", "transform.shift=[1,2]", "at=[2,2]", "draw=false")
    assert "gradient  (2, 0)" in done.out


def test_a_wrong_gradient_is_exit_code_one(here: Path, derive: Callable[..., Done]) -> None:
    (here / "wrong_cubes.py").write_text(WRONG)
    custom = "loss=custom", "loss._target_=wrong_cubes.Cubes"
    done = derive(*custom, "check=true", "draw=false")
    assert done.code == 1
    assert "WRONG: the gradient is not the derivative of the loss" in done.out
    assert "Autograd does NOT match the limit of the differences for ∂f/∂x0, ∂f/∂x1" in done.out
    assert derive("loss=beale", "check=true", "draw=false").code == 0


def test_a_run_can_ask_for_the_check(here: Path, gd: Callable[..., Done]) -> None:
    (here / "wrong_cubes.py").write_text(WRONG)
    custom = "loss=custom", "loss._target_=wrong_cubes.Cubes", "check_gradient=true"
    for words in (custom, ("-m", *custom, "lr=0.1,0.2")):
        done = gd(*words)
        assert done.code == 2
        assert done.err == (
            "error: loss=Cubes: the slope along x0 at (1, 2) is 2 by autograd, 3 by differences "
            "(check_gradient=true)\n"
        )
    assert not Path("runs").exists()
    assert gd("loss=beale", "lr=1e-3", "steps=3", "check_gradient=true").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["loss=beale", "at=[1]"], "at=[1]: must be 2 numbers, one for each of x0, x1; got 1"),
        (["at=[1,nan]"], "at[1]=nan: must be a finite number"),
        (["at=here"], "at=here: must be a list of numbers"),
        (["direction=[0,0]"], "direction=[0,0]: must not be zero"),
        (["direction=[1]"], "direction=[1]: must be 2 numbers, one for each of x0, x1; got 1"),
        (["step=[1,2,3]"], "step=[1,2,3]: must be 2 numbers, one for each of x0, x1; got 3"),
        (
            ["loss=expression", "loss.formula=log(x)", "at=[-1]"],
            "at=[-1]: the loss is nan there, but must be finite",
        ),
        (
            ["loss=expression", "loss.formula=2x"],
            "loss.formula=2x: column 1: write a product with *: 2*x",
        ),
        (["path=[cos(t)]"], "path=[cos(t)]: must be 2 formulas, one for each of x0, x1; got 1"),
        (['path=["cos(s)","t"]'], "path=cos(s): column 5: s is unknown; the only variable is t"),
        (['inner=["x+y","x-y"]'], "at=null: inner needs a point in its variables"),
        (['formulas=["x*y"]'], "at=null: formulas needs a point in its variables"),
        (
            ['inner=["x","y"]', 'path=["t","t"]'],
            "inner=[x,y]: cannot be combined with path; give one of them",
        ),
        (["path=[]"], "path=[]: must be a list of formulas in t, such as [cos(t),sin(t)]"),
        (["path=cos(t)"], "path=cos(t): must be a list of strings"),
        (["path=[t,t]", "at=[1,2]"], "at=[1.0,2.0]: cannot be combined with path; give one"),
        (["formulas=[x]", "find=true", "at=[1]"], "find=true: cannot be combined with formulas"),
        (["hydra.mode=MULTIRUN"], "hydra.mode=MULTIRUN: a report covers one point; sweeps"),
        (["order=7"], "order=7: must be a whole number ≥ 1 and ≤ 6"),
        (
            ["loss=rosenbrock", "loss.dim=30", "order=3"],
            "order=3: has 4,960 partial derivatives in 30 dimensions; at most 200 are allowed",
        ),
        (
            ["loss=quadratic", "loss.dim=1000000", "order=6"],
            "order=3: has 166,667,166,667,000,000 partial derivatives in 1000000 dimensions; at",
        ),
        (
            ["loss=quadratic", "loss.dim=1000000", "high_dimensional=false"],
            "high_dimensional=false: is for at most 1,000 dimensions, and this loss has 1,000,000",
        ),
        (
            ["find=true", "window=[[0,1],[0,1],[0,1]]"],
            "window=[[0.0,1.0],[0.0,1.0],[0.0,1.0]]: must be 2 pairs, low and high, or one",
        ),
        (["find=true", "window=[[1,0]]"], "window=[[1.0,0.0]]: each low must be below its high"),
        (["find=true", "window=[1,0]"], "window[0]=1: must be a list of 2 numbers"),
        (["loss=mlp", "loss.widths=[2]", "example=999"], "example=999: must be from 0 to 199"),
        (["points=3"], "points=3: no such setting"),
        (["loss=beal"], "loss=beal: no such choice, did you mean beale or mgh"),
        (["-m", "at=[1,2]"], "--multirun: a report covers one point; sweeps are not supported"),
        (
            ["--frob"],
            "unrecognized arguments: --frob; settings have no dashes: frob=…; see python -m gdla",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(derive: Callable[..., Done], words: list[str], message: str) -> None:
    done = derive(*words)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith(f"error: {message}"), done.err
    assert done.err.count("\n") == 1
    assert not list(Path().iterdir())


def test_a_loss_that_is_differentiable_once(here: Path, derive: Callable[..., Done]) -> None:
    once = "torch.autograd.function.once_differentiable"
    source = WRONG.replace(
        "    @staticmethod\n    def backward", f"    @staticmethod\n    @{once}\n    def backward"
    )
    source = source.replace("2 * grad", "3 * grad").replace(".sum(-1)", ".sum(-1) ** 2")
    (here / "once.py").write_text(source)
    custom = "loss=custom", "loss._target_=once.Cubes", "draw=false"
    done = derive(*custom)
    assert done.code == 2
    what = "the loss uses a function that is differentiable only once"
    assert done.err == f"error: order=2: {what}; use order=1\n"
    # By hand: 2 (x³ + y³) (3 x², 3 y²) = 18 (3, 12).
    assert "gradient  (54, 216)" in derive(*custom, "order=1", "step=[1,1]").out


CUSTOM = """
from gdlab import Loss

class Mine(Loss):
    dim = 2
    start = (1.0, 2.0)
    window = ((-9.0, 9.0), (-9.0, 9.0))

    def __call__(self, x):
        {}
"""


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("raising", "raise RuntimeError('not\\ntoday')", "(RuntimeError: not today)"),
        (
            "of_all_points",
            "return x.sum()",
            "(ValueError: the loss must return values of shape (R,) for points (R, 2)",
        ),
        (
            "in_place",
            "x += 1; return x.sum(-1)",
            "(RuntimeError: a leaf Variable that requires",
        ),
        ("no_tensor", "return 0.0", "(TypeError: the loss must return a tensor, and gave a float)"),
    ],
)
def test_a_custom_loss_that_cannot_be_used_is_one_line(
    here: Path, derive: Callable[..., Done], name: str, body: str, message: str
) -> None:
    (here / f"{name}.py").write_text(CUSTOM.format(body))
    done = derive("loss=custom", f"loss._target_={name}.Mine")
    assert done.code == 2
    assert done.err.startswith(f"error: loss=Mine: cannot be used {message}"), done.err
    assert done.err.count("\n") == 1


def test_a_failed_picture_is_a_warning_and_the_data_are_saved(
    here: Path, derive: Callable[..., Done]
) -> None:
    body = "if x.abs().max() > 5:\n            raise ValueError('too far')"
    (here / "near.py").write_text(CUSTOM.format(f"{body}\n        return (x**2).sum(-1)"))
    done = derive("loss=custom", "loss._target_=near.Mine", "order=1", "at=[0,0]")
    # The cross-sections are of half the window, the contours of all of it.
    assert done.err == "warning: the report is not drawn (ValueError: too far)\n"
    assert done.code == 0
    (directory,) = Path("runs/derivatives").iterdir()
    assert (directory / "report.json").is_file()


def test_the_report_is_printed_even_if_it_cannot_be_saved(
    here: Path, derive: Callable[..., Done]
) -> None:
    (here / "runs").write_text("a file, no folder")
    done = derive("loss=beale", "at=[1,2]", "--json")
    assert done.code == 2
    assert json.loads(done.out)["gradient"]["gradient"] == [171.25, 278.0]
    assert done.err.startswith("error: hydra.run.dir=runs/derivatives/")
    assert done.err.endswith("cannot be made (Not a directory)\n")


def test_there_is_no_derivative_at_a_kink(derive: Callable[..., Done]) -> None:
    done = derive("loss=expression", "loss.formula=abs(x)+y**2", "at=[0,1]", "draw=false")
    said = "Kink: along x the slope is -1 on the left, 1 on the right; there is no derivative."
    assert said in done.out
    assert "∂²f/∂x²    0, but none where x = 0\n" in done.out


def test_without_a_limit_nothing_is_compared(derive: Callable[..., Done]) -> None:
    words = "loss=expression", "loss.formula=sqrt(x)", "at=[0]", "draw=false"
    done = derive(*words)
    assert "Vertical tangent: along x the slope is undefined on the left, inf on the" in done.out
    assert "NOT" not in done.out
    (partial,) = json.loads(derive(*words, "--json").out)["gradient"]["partials"]
    assert (partial["agrees"], partial["symbolic"], partial["differences"]) == (None, None, None)


def test_python_takes_names_losses_and_functions() -> None:
    by_name = report("rosenbrock", at=[-1.2, 1.0])
    by_loss = report(Rosenbrock(), at=[-1.2, 1.0])
    custom = report(lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2, at=[-1.2, 1.0])
    # Moré, Garbow and Hillstrom, problem 1.
    for result in (by_name, by_loss, custom):
        gradient: Any = result.findings["gradient"]
        assert gradient.gradient.tolist() == pytest.approx([-215.6, -88.0], rel=1e-14)
    moved: Any = report("sphere", at=[1] * 10, transform={"shift": 1.0}).findings["gradient"]
    assert torch.equal(moved.gradient, torch.zeros(10, dtype=torch.float64))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"att": [1, 2]}, "att=.*no such setting, did you mean at"),
        ({"draw": True}, "draw=true: no such setting"),
        ({"at": [1]}, r"at=\[1\]: must be 2 numbers"),
    ],
)
def test_python_refuses_as_the_command_does(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        report("beale", **settings)


def test_a_function_needs_a_point() -> None:
    with pytest.raises(SettingError, match="at=None: a function needs a point"):
        report(lambda x: x.sum())


def test_help_does_not_import_torch() -> None:
    code = (
        "import sys; sys.argv[1:] = ['--help']\n"
        "from gdlab.derivatives.__main__ import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "assert 'torch' not in sys.modules, 'torch'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "direction=null" in done.stdout


def test_a_closed_pipe_is_no_error_message(here: Path) -> None:
    words = [sys.executable, "-m", "gdlab.derivatives", "loss=beale", "draw=false"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1
