"""Optimizers and their options, each with an oracle that takes the same steps."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gdlab.losses import Loss
from gdlab.optimizers import (
    ASGD,
    SGD,
    AdaBelief,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    Adan,
    ClipNorm,
    ClipValue,
    HeavyBall,
    Lion,
    Lookahead,
    Muon,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
    ScheduleFree,
    SignSGD,
    WeightDecay,
)
from optimizers import oracles
from optimizers.oracles import plain, stepped_path, written_path


@dataclass(frozen=True)
class OptimizerCase:
    """An optimizer, and an oracle with the same options.

    Attributes:
        optimizer: the optimizer.
        path: computes the points of an oracle, from another library or from the paper.
        oracle: the argument of `path`.
        options: the oracle's options.
        near: relative tolerances of the points, in float64 and in float32.
        needs_matrix: whether the optimizer is only for networks.
    """

    optimizer: Optimizer
    path: Callable[..., Any]
    oracle: Any
    options: Mapping[str, Any]
    near: tuple[float, float] = (1e-12, 2e-4)
    needs_matrix: bool = False

    def __str__(self) -> str:
        given = ",".join(f"{k}={v}" for k, v in self.options.items())
        name = getattr(self.oracle, "__name__", "oracle")
        whose = "" if name == "<lambda>" else f"{name}: "
        return f"{whose}{type(self.optimizer).__name__}({given.replace(' ', '')})"

    def points(self, loss: Loss, lr: float, steps: int) -> Any:
        """Compute the oracle's points (steps + 1, D)."""
        return self.path(self.oracle, self.options, loss, lr, steps)


BOTH = (False, True)


def _vary_up_to_two(**choices: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """Yield all choices that differ from the first ones in at most two options, or in all."""
    for values in itertools.product(*choices.values()):
        others = sum(value != few[0] for value, few in zip(values, choices.values(), strict=True))
        if others <= 2 or others == len(choices):
            yield dict(zip(choices, values, strict=True))


def _vary_one(**choices: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """Yield the first choices and the last ones, each also with one option changed."""
    first = {name: values[0] for name, values in choices.items()}
    last = {name: values[-1] for name, values in choices.items()}
    options = [first, last]
    for name, values in choices.items():
        options += [first | {name: value} for value in values]
        options += [last | {name: values[0]}]
    yield from {str(given): given for given in options}.values()


def _sgd() -> Iterator[OptimizerCase]:
    for options in _vary_up_to_two(
        momentum=(0.0, 0.9),
        dampening=(0.0, 0.3),
        weight_decay=(0.0, 0.1),
        nesterov=BOTH,
        maximize=BOTH,
    ):
        # torch refuses nesterov with dampening or without momentum.
        if not options["nesterov"] or (options["momentum"] and not options["dampening"]):
            yield OptimizerCase(SGD(**options), stepped_path, plain(torch.optim.SGD), options)


def _adam() -> Iterator[OptimizerCase]:
    for options in _vary_up_to_two(
        betas=((0.9, 0.999), (0.3, 0.8), (0.0, 0.95)),
        eps=(1e-8, 1e-2),
        weight_decay=(0.0, 0.1),
        amsgrad=BOTH,
        maximize=BOTH,
    ):
        yield OptimizerCase(Adam(**options), stepped_path, plain(torch.optim.Adam), options)
        decoupled = Adam(**options, decoupled_weight_decay=True)
        yield OptimizerCase(decoupled, stepped_path, plain(torch.optim.AdamW), options)


def _of_torch() -> Iterator[OptimizerCase]:
    """Yield the other optimizers that torch also has."""
    betas = ((0.9, 0.999), (0.3, 0.8), (0.0, 0.95))
    eps, decay = (1e-8, 1e-2), {"weight_decay": (0.0, 0.1), "maximize": BOTH}
    decays = {**decay, "decoupled_weight_decay": BOTH}
    table: dict[type[Optimizer], dict[str, tuple[Any, ...]]] = {
        RMSprop: dict(alpha=(0.99, 0.4), eps=eps, momentum=(0.0, 0.9), centered=BOTH, **decay),
        Adagrad: dict(
            lr_decay=(0.0, 0.1), initial_accumulator_value=(0.0, 0.5), eps=(1e-10, 1e-2), **decay
        ),
        NAdam: dict(betas=betas, eps=eps, momentum_decay=(4e-3, 0.0, 0.3), **decays),
        Adamax: dict(betas=betas, eps=eps, **decay),
        Adadelta: dict(rho=(0.9, 0.3, 1.0), eps=(1e-6, 1e-2), **decay),
        Rprop: {
            "etas": ((0.5, 1.2), (0.3, 2.0)),
            "step_sizes": ((1e-6, 50), (1e-3, 0.03)),
            "maximize": BOTH,
        },
        ASGD: dict(lambd=(1e-4, 0.1), alpha=(0.75, 0.0, 1.5), t0=(1e6, 3.0), **decay),
    }
    for kind, choices in table.items():
        make = _vary_up_to_two if kind in (RMSprop, Adagrad) else _vary_one
        oracle = plain(getattr(torch.optim, kind.__name__))
        for options in make(**choices):
            # v − m² of `centered` loses the digits that v and m² share. Observed 1.5e-14, 1.2e-5.
            near = (2e-12, 2e-3) if options.get("centered") else (1e-12, 2e-4)
            yield OptimizerCase(kind(**options), stepped_path, oracle, options, near)
    for options in _vary_one(betas=(*betas, (0.9, 0.5)), eps=eps, **decays):
        yield OptimizerCase(RAdam(**options), stepped_path, plain(torch.optim.RAdam), options)
    averaged = dict(lambd=(1e-4, 0.1), alpha=(0.75, 0.0), t0=(0.0, 3.0), **decay)
    for options in _vary_one(**averaged):
        optimizer = ASGD(**options, averaged=True)
        yield OptimizerCase(optimizer, stepped_path, oracles.AveragedASGD, options)


def _adafactor() -> Iterator[OptimizerCase]:
    for options in _vary_one(
        beta2_decay=(-0.8, -0.3),
        eps1=(None, 0.01, 0.5),
        eps2=(1e-3, 2.0),
        d=(1.0, 2.0),
        weight_decay=(0.0, 0.1),
        maximize=BOTH,
    ):
        given = {name: value for name, value in options.items() if name not in ("eps1", "eps2")}
        given["eps"] = options["eps1"], options["eps2"]
        yield OptimizerCase(Adafactor(**options), stepped_path, plain(torch.optim.Adafactor), given)


def _muon() -> Iterator[OptimizerCase]:
    choices: dict[str, tuple[Any, ...]] = {
        "momentum": (0.95, 0.5),
        "nesterov": (True, False),
        "weight_decay": (0.1, 0.0),
        "ns_coefficients": ((3.4445, -4.775, 2.0315), (2.0, -1.5, 0.5)),
        "ns_steps": (5, 2),
        "eps": (1e-7, 10.0),
        "adjust_lr_fn": ("original", "match_rms_adamw"),
    }
    for options in _vary_one(**choices):
        # torch orthogonalizes in bfloat16 on every CPU, with eps 8e-3. Observed 2.5e-3.
        yield OptimizerCase(
            Muon(**options, inner_scale=0.5),
            stepped_path,
            oracles.MuonAndAdamW,
            {**options, "inner_scale": 0.5},
            (2e-2, 2e-2),
            needs_matrix=True,
        )


def _wrappers() -> Iterator[OptimizerCase]:
    heavy = SGD(momentum=0.9)
    for bound in (0.1, 1.0, 1e3):
        options = {"max_norm": bound}
        yield OptimizerCase(
            ClipNorm(inner=heavy, **options), stepped_path, oracles.norm_clipped, options
        )
        options = {"max_value": bound}
        yield OptimizerCase(
            ClipValue(inner=heavy, **options), stepped_path, oracles.value_clipped, options
        )
    coupled = WeightDecay(inner=RMSprop(), weight_decay=0.1, decoupled=False)
    options = {"weight_decay": 0.1}
    yield OptimizerCase(coupled, stepped_path, plain(torch.optim.RMSprop), options)
    decoupled = WeightDecay(inner=Adam(), weight_decay=0.1)
    yield OptimizerCase(decoupled, stepped_path, plain(torch.optim.AdamW), options)
    for options in _vary_one(k=(5, 3, 1), alpha=(0.5, 0.8)):
        yield OptimizerCase(
            Lookahead(inner=heavy, **options), stepped_path, oracles.Lookahead, options
        )
    for options in _vary_one(k=(5, 3), alpha=(0.5, 1.0)):
        yield OptimizerCase(Lookahead(**options), written_path, oracles.lookahead, options)
    for options in _vary_one(momentum=(0.9, 0.5), r=(0.0, 1.0), weight_lr_power=(2.0, 0.0)):
        optimizer = ScheduleFree(inner=RMSprop(), **options)
        yield OptimizerCase(optimizer, stepped_path, oracles.ScheduleFree, options)
        yield OptimizerCase(ScheduleFree(**options), written_path, oracles.schedule_free, options)


def _of_papers() -> Iterator[OptimizerCase]:
    """Yield optimizers that torch lacks, or (RAdam) computes with less precision."""
    betas = ((0.9, 0.999), (0.3, 0.8), (0.0, 0.95))
    table: list[tuple[type[Optimizer], list[Any], dict[str, tuple[Any, ...]]]] = [
        (HeavyBall, [oracles.heavy_ball], {"momentum": (0.9, 0.0, 0.5)}),
        (SignSGD, [oracles.signum], {"momentum": (0.0, 0.9)}),
        (
            Lion,
            [oracles.lion, oracles.lion_from_library],
            {"betas": ((0.9, 0.99), (0.3, 0.5)), "weight_decay": (0.0, 0.1)},
        ),
        (AdaBelief, [oracles.adabelief], {"betas": betas[:2], "eps": (1e-8, 1e-2)}),
        (
            Adan,
            [oracles.adan, oracles.adan_from_library],
            {
                "betas": ((0.98, 0.92, 0.99), (0.5, 0.3, 0.8)),
                "eps": (1e-8, 1e-2),
                "weight_decay": (0.0, 0.1),
            },
        ),
        (RAdam, [oracles.radam], {"betas": betas, "eps": (1e-8, 1e-2)}),
    ]
    for kind, makers, choices in table:
        for options, make in itertools.product(_vary_one(**choices), makers):
            path = stepped_path if make.__name__.endswith("_from_library") else written_path
            yield OptimizerCase(kind(**options), path, make, options)


OPTIMIZERS = [
    *_sgd(),
    *_adam(),
    *_of_torch(),
    *_adafactor(),
    *_muon(),
    *_wrappers(),
    *_of_papers(),
]


class OneMatrix(Loss):
    """A quadratic of one matrix M (3 × 2): ½ Σ wᵢⱼ (Mᵢⱼ − 1)², all elementwise."""

    dim: int = 6  # type: ignore[assignment]

    @property
    def layout(self) -> list[tuple[str, tuple[int, ...]]]:
        return [("matrix", (3, 2))]

    @property
    def start(self) -> Tensor:
        return self.tensor([2.0, -1.0, 0.5, -0.25, 3.0, 0.1])

    def __call__(self, x: Tensor) -> Tensor:
        weights = self.tensor([1.0, 2.0, 5.0, 0.5, 3.0, 10.0])
        return 0.5 * (weights * (x - 1).square()).sum(-1)
