"""Optimizers, one family per file."""

from gdlab.optimizers.adam import Adam, Adamax, NAdam, RAdam
from gdlab.optimizers.adaptive import Adadelta, Adagrad, RMSprop
from gdlab.optimizers.averaging import ASGD, Lookahead, ScheduleFree
from gdlab.optimizers.base import Optimizer
from gdlab.optimizers.conjugate import ConjugateGradient
from gdlab.optimizers.least_squares import GaussNewton, LevenbergMarquardt
from gdlab.optimizers.line_search_descent import LineSearchDescent
from gdlab.optimizers.matrix import Adafactor, Muon
from gdlab.optimizers.moments import AdaBelief, Adan
from gdlab.optimizers.momentum import SGD, HeavyBall
from gdlab.optimizers.newton import NaturalGradient, Newton
from gdlab.optimizers.oracle import OracleOptimizer
from gdlab.optimizers.quasi_newton import BFGS, LBFGS
from gdlab.optimizers.sign import Lion, Rprop, SignSGD
from gdlab.optimizers.step_size import AdGD, BarzilaiBorwein, NormalizedGradient, Polyak
from gdlab.optimizers.torch_optim import Torch
from gdlab.optimizers.wrappers import ClipNorm, ClipValue, WeightDecay

__all__ = [
    "ASGD",
    "BFGS",
    "LBFGS",
    "SGD",
    "AdGD",
    "AdaBelief",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "Adamax",
    "Adan",
    "BarzilaiBorwein",
    "ClipNorm",
    "ClipValue",
    "ConjugateGradient",
    "GaussNewton",
    "HeavyBall",
    "LevenbergMarquardt",
    "LineSearchDescent",
    "Lion",
    "Lookahead",
    "Muon",
    "NAdam",
    "NaturalGradient",
    "Newton",
    "NormalizedGradient",
    "Optimizer",
    "OracleOptimizer",
    "Polyak",
    "RAdam",
    "RMSprop",
    "Rprop",
    "ScheduleFree",
    "SignSGD",
    "Torch",
    "WeightDecay",
]

for _name in __all__:  # public paths, so that plans and saved configurations survive moved files
    _class = globals()[_name]
    if _class.__module__.startswith(f"{__name__}."):
        _class.__module__ = __name__
