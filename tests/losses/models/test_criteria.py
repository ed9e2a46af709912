"""The criteria of networks against the losses of torch.nn."""

from typing import Any

import pytest
import torch
from helpers import criteria
from torch import Tensor, nn
from torch.nn import functional

import gdlab
from gdlab.config.overrides import to_hydra_overrides
from gdlab.errors import SettingError
from gdlab.losses import MLP, Module
from gdlab.losses.models.criteria import CRITERIA
from gdlab.numerics.autodiff import value_and_gradient

TASKS = {"cross_entropy": nn.CrossEntropyLoss(), "binary_cross_entropy": nn.BCEWithLogitsLoss()}
NUMBERS = {"mse": nn.MSELoss(), "l1": nn.L1Loss(), "huber": nn.HuberLoss()}
WEIGHTS = torch.tensor([1.0, 2.5]).double()
OWN: dict[str, tuple[Any, Any]] = {
    "a function": (criteria.focal, lambda s, t: criteria.focal(s, t).mean()),
    "by name": (
        {"_target_": "helpers.criteria.focal", "gamma": 1.0},
        lambda s, t: criteria.focal(s, t, 1.0).mean(),
    ),
    "a module": (
        nn.CrossEntropyLoss(label_smoothing=0.1),
        nn.CrossEntropyLoss(label_smoothing=0.1),
    ),
    "a module by name": (
        {"_target_": "torch.nn.MultiMarginLoss", "margin": 0.5},
        nn.MultiMarginLoss(margin=0.5),
    ),
    "a class": (nn.CrossEntropyLoss, nn.CrossEntropyLoss()),
    "a function of torch": (functional.cross_entropy, functional.cross_entropy),
    # One score for two classes: its targets are 0.0 and 1.0.
    "a function of logits": (criteria.of_logits, nn.BCEWithLogitsLoss()),
    "with a weight": (
        nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0)),
        nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0)),
    ),
    # As a command has them: gdlab makes the tensors that torch takes.
    "with a weight by name": (
        {"_target_": "torch.nn.BCEWithLogitsLoss", "pos_weight": 3},
        nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0)),
    ),
    "with weights of classes by name": (
        {"_target_": "torch.nn.CrossEntropyLoss", "weight": [1, 2.5]},
        lambda s, t: functional.cross_entropy(s, t, WEIGHTS, reduction="none").mean(),
    ),
    "a function with weights of classes by name": (
        {"_target_": "torch.nn.functional.cross_entropy", "weight": [1, 2.5]},
        lambda s, t: functional.cross_entropy(s, t, WEIGHTS, reduction="none").mean(),
    ),
}


def of_torch(loss: MLP, criterion: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """The loss and the gradient (D,) at a point (D,), by torch's own modules."""
    net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, loss.outputs)).double()
    nn.utils.vector_to_parameters(x, net.parameters())
    scores, targets = net(loss.inputs), loss.targets
    if loss.classes is not None and loss.outputs > 1:
        targets = targets.long()
    elif loss.classes is not None:
        scores = scores[:, 0]
    value = criterion(scores, targets)
    value.backward()
    return value.detach(), torch.cat([p.grad.flatten() for p in net.parameters()])  # type: ignore[union-attr]


def assert_like_torch(loss: MLP, criterion: Any) -> None:
    x = 1.5 * torch.randn(2, loss.dim, dtype=torch.float64, generator=torch.manual_seed(0))
    values, gradients = value_and_gradient(loss, x)
    for row in range(2):
        value, gradient = of_torch(loss, criterion, x[row])
        # Observed: 3e-16 and 2e-16.
        torch.testing.assert_close(values[row], value, rtol=1e-14, atol=0)
        torch.testing.assert_close(gradients[row], gradient, rtol=1e-12, atol=1e-15)
    chosen = torch.tensor([[0, 5, 7], [2, 2, 9]])
    few = loss.costs(loss.scores(x, loss.inputs[chosen]), loss.targets[chosen])
    alone = loss.costs(loss.scores(x[:1], loss.inputs[5:6]), loss.targets[5:6])
    assert few.shape == (2, 3) and alone.shape == (1, 1)
    torch.testing.assert_close(few[0, 1], alone[0, 0], rtol=1e-12, atol=0)  # observed 2e-16


@pytest.mark.parametrize("name", CRITERIA)
def test_named_criteria_are_those_of_torch(name: Any) -> None:
    loss = MLP(widths=(4,), count=20, criterion=name)
    assert_like_torch(loss, (TASKS | NUMBERS)[name])
    assert (loss.classes, list(loss.metrics)) == (
        (2, ["accuracy"]) if name in TASKS else (None, [])
    )
    assert (loss.residuals(loss.start) is not None) == (name == "mse")


@pytest.mark.parametrize("kind", OWN)
def test_criteria_of_ones_own(kind: str) -> None:
    given, expected = OWN[kind]
    loss = MLP(widths=(4,), count=20, criterion=given)
    assert_like_torch(loss, expected)
    assert list(loss.metrics) == ["accuracy"]


def test_the_mean_is_taken_over_several_targets() -> None:
    features, targets = torch.randn(20, 2), torch.randn(20, 3)
    by_name = MLP(data=(features, targets), widths=(4,), criterion="huber")  # type: ignore[arg-type]
    assert_like_torch(by_name, nn.HuberLoss())
    assert_like_torch(
        by_name.replace(criterion=nn.SmoothL1Loss(beta=0.3)), nn.SmoothL1Loss(beta=0.3)
    )


def test_a_module_with_one_logit_for_two_classes() -> None:
    net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    with pytest.raises(SettingError, match=r"\(8, 2\), or with one score criterion=binary_cross"):
        Module(module=net)
    loss = Module(module=net, criterion="binary_cross_entropy")
    value, gradient = value_and_gradient(loss, loss.start[None])
    scores = net(loss.inputs.float())[:, 0]
    theirs = functional.binary_cross_entropy_with_logits(scores, loss.targets.float())
    assert float(value) == pytest.approx(float(theirs.detach()), rel=1e-5)
    hits = ((scores > 0) == (loss.targets > 0)).double().mean()
    assert float(loss.metrics["accuracy"](loss.start[None])) == float(hits)
    assert gradient.shape == (1, 17) and bool(gradient.any())


def test_a_criterion_follows_the_dtype() -> None:
    weight = torch.tensor([1.0, 2.0])
    by_name = {"_target_": "torch.nn.functional.cross_entropy", "weight": [1, 2]}
    values = []
    for criterion in (nn.CrossEntropyLoss(weight), by_name):
        single = MLP(criterion=criterion)  # type: ignore[arg-type]
        single = single.to(torch.float32, torch.device("cpu"))
        values.append(single(single.start))
        assert values[-1].dtype == torch.float32
    assert values[0] == values[1]
    assert weight.dtype == torch.float32


def test_a_criterion_may_first_be_asked_where_no_gradient_is_wanted() -> None:
    with torch.no_grad():
        loss = MLP(criterion=nn.MultiMarginLoss())  # type: ignore[arg-type]
        value = loss(loss.start)
    assert float(value) == float(MLP(criterion=nn.MultiMarginLoss())(loss.start))  # type: ignore[arg-type]


# Torch has no second derivative of either.
ONCE = [
    {"criterion": nn.MultiMarginLoss, "lr": 0.1, "diagnosis": "descending"},
    {"criterion": nn.MultiMarginLoss, "lr": 100.0, "diagnosis": "growing"},
    {"criterion": nn.MultiMarginLoss, "widths": (40, 40), "lr": 0.1, "diagnosis": "descending"},
    {"data": "breast_cancer", "criterion": nn.MultiMarginLoss, "lr": 1e4, "diagnosis": "growing"},
]


@pytest.mark.parametrize("given", ONCE)
def test_runs_of_losses_without_second_derivatives_are_explained(given: dict[str, Any]) -> None:
    wanted = {**given}
    diagnosis = wanted.pop("diagnosis")
    run = gdlab.run("mlp", steps=20, **wanted)
    assert run.outcome.diagnosis == diagnosis
    assert run.explain() is not None
    assert run.outcome.lr_limit is None


def test_criteria_are_an_axis_of_a_sweep() -> None:
    several = [criteria.focal, nn.CrossEntropyLoss(label_smoothing=0.1), "cross_entropy"]
    swept = gdlab.sweep("mlp", widths=(2,), count=20, criterion=several, steps=1)
    names = ["focal", "CrossEntropyLoss", "cross_entropy"]
    assert swept.results["loss.criterion"].tolist() == names
    losses = [MLP(widths=(2,), count=20, criterion=each) for each in several]  # type: ignore[arg-type]
    x = losses[0].start - 0.1 * value_and_gradient(losses[0], losses[0].start[None])[1][0]
    expected = float(losses[0](x))
    assert swept.results["final_loss"].tolist()[0] == pytest.approx(expected, rel=1e-13)


def own(name: str) -> dict[str, str]:
    return {"_target_": f"helpers.criteria.{name}"}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"criterion": "mse", "task": "classification"}, "criterion=mse: is for task=regression"),
    ({"criterion": "binary_cross_entropy", "data": "iris"}, "is for two classes, but iris has 3"),
    ({"criterion": own("meaned")}, "criterion=meaned: gives one number for 8 examples, but must"),
    ({"criterion": own("number")}, "criterion=number: gives a float, but must give a tensor"),
    ({"criterion": own("rounded")}, "criterion=rounded: gives costs of torch.int64, but they"),
    (
        {"criterion": nn.CrossEntropyLoss, "data": "diabetes"},
        "criterion=CrossEntropyLoss: its costs are 0 whatever the scores are",
    ),
    ({"criterion": own("constant")}, "criterion=constant: its costs do not depend on the scores"),
    ({"criterion": own("centered")}, "criterion=centered: an example's cost depends on the other"),
    ({"criterion": own("paired")}, "gives costs of shape (8, 8) for 8 examples; must be (8,)"),
    ({"criterion": nn.CTCLoss}, "criterion=CTCLoss: cannot use scores (8, 2) and targets (8,) ("),
    ({"criterion": own("fokal")}, "criterion._target_=helpers.criteria.fokal: helpers.criteria ha"),
    ({"criterion": {"_target_": "nowhere.cost"}}, "criterion._target_=nowhere.cost: cannot import"),
    (
        {"criterion": {"_target_": "os.getcwd"}},
        "criterion._target_=os.getcwd: must take scores, ta",
    ),
    ({"criterion": {"gamma": 2.0}}, "criterion._target_: must name a subclass of torch.nn.Module"),
    ({"criterion": {**own("focal"), "gama": 1}}, "unexpected keyword argument 'gama')"),
    (
        {"criterion": "my.cost"},
        "criterion=my.cost: give a class or a function as criterion._target_",
    ),
    (
        {"criterion": "l2"},
        "criterion=l2: must be one of cross_entropy, binary_cross_entropy, mse, l1",
    ),
    (
        {"criterion": lambda scores: scores},
        "criterion=<lambda>: cannot use scores (8, 2) and targets",
    ),
]


REFUSED += [
    (
        {"data": "iris", "criterion": nn.MSELoss()},
        "criterion=MSELoss: cannot use scores (8, 3) and",
    ),
]  # what torch warns of on the way is an error in a test


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_misuse_is_refused_in_a_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError) as error:
        MLP(**settings)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_criterion_takes_arguments_on_the_command_line() -> None:
    words = ["loss.criterion._target_=my_cost.focal", "loss.criterion.gamma=0,2"]
    assert to_hydra_overrides(words) == [f"++{word}" for word in words]
