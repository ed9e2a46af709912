"""The losses, one family per file."""

from gdlab.losses.base import Loss, PointLoss
from gdlab.losses.classic import Himmelblau, Rosenbrock
from gdlab.losses.quadratic import Quadratic
from gdlab.losses.regression import MSE

__all__ = ["MSE", "Himmelblau", "Loss", "PointLoss", "Quadratic", "Rosenbrock"]
