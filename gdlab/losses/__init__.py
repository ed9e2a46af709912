"""The losses, one family per file."""

from gdlab.losses.base import Loss, PointLoss
from gdlab.losses.classic import Rosenbrock
from gdlab.losses.quadratic import Quadratic
from gdlab.losses.regression import MSE

__all__ = ["MSE", "Loss", "PointLoss", "Quadratic", "Rosenbrock"]
