"""Stability limits and convergence rates from theory, each said only where its premises hold."""

from gdlab.theory.advice import (
    Trial,
    best_rate,
    rates_around,
    rates_below,
    with_falling_rate,
    with_momentum,
    with_standardized,
)
from gdlab.theory.claims import (
    Rate,
    growth,
    optimal_lr,
    optimum,
    predicted_rate,
    rate,
    stability_limit,
)
from gdlab.theory.diagnosis import Diagnosis, diagnose
from gdlab.theory.escaping import falls_to_zero
from gdlab.theory.premises import Claim, Premise, premises_of
from gdlab.theory.sharpness import (
    below_one,
    local_stability_limit,
    round_down,
    sharpness,
    stability_edge,
)
from gdlab.theory.slowness import Slowness, slowness

__all__ = [
    "Claim",
    "Diagnosis",
    "Premise",
    "Rate",
    "Slowness",
    "Trial",
    "below_one",
    "best_rate",
    "diagnose",
    "falls_to_zero",
    "growth",
    "local_stability_limit",
    "optimal_lr",
    "optimum",
    "predicted_rate",
    "premises_of",
    "rate",
    "rates_around",
    "rates_below",
    "round_down",
    "sharpness",
    "slowness",
    "stability_edge",
    "stability_limit",
    "with_falling_rate",
    "with_momentum",
    "with_standardized",
]
