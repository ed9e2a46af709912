"""Derivatives of a loss, computed in independent ways and explained.

`python -m gdlab.derivatives loss=beale 'at=[1,2]'` prints a report. `report` computes the same from
Python, and each of its parts is also a function:

>>> from gdlab.derivatives import LossAtPoint, first_order, report
>>> from gdlab.losses import Beale
>>> first_order(LossAtPoint(Beale(), [1.0, 2.0])).gradient.tolist()
[171.25, 278.0]
>>> report("beale", at=[3, 0.5]).findings["hessian"].max_stable_lr > 0.04
True

The names are imported on first use, so that `--help` runs without torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdlab.derivatives.findings.backpropagation import backpropagation
    from gdlab.derivatives.findings.chain_rule import along_path, composition
    from gdlab.derivatives.findings.check import check_gradient
    from gdlab.derivatives.findings.critical_points import critical
    from gdlab.derivatives.findings.cross_sections import cross_sections
    from gdlab.derivatives.findings.directional import directional
    from gdlab.derivatives.findings.gauss_newton import residuals
    from gdlab.derivatives.findings.gradient import first_order
    from gdlab.derivatives.findings.hessian import second_order
    from gdlab.derivatives.findings.high_dimensional import high_dimensional
    from gdlab.derivatives.findings.higher_orders import higher
    from gdlab.derivatives.findings.jacobian import jacobian
    from gdlab.derivatives.findings.search import find
    from gdlab.derivatives.findings.taylor import differential, taylor
    from gdlab.derivatives.full_report import Report, report
    from gdlab.derivatives.point import LossAtPoint

_MODULES = {
    "LossAtPoint": "point",
    "Report": "full_report",
    "along_path": "findings.chain_rule",
    "backpropagation": "findings.backpropagation",
    "check_gradient": "findings.check",
    "composition": "findings.chain_rule",
    "critical": "findings.critical_points",
    "cross_sections": "findings.cross_sections",
    "differential": "findings.taylor",
    "directional": "findings.directional",
    "find": "findings.search",
    "first_order": "findings.gradient",
    "higher": "findings.higher_orders",
    "jacobian": "findings.jacobian",
    "high_dimensional": "findings.high_dimensional",
    "report": "full_report",
    "residuals": "findings.gauss_newton",
    "second_order": "findings.hessian",
    "taylor": "findings.taylor",
}

__all__ = [
    "LossAtPoint",
    "Report",
    "along_path",
    "backpropagation",
    "check_gradient",
    "composition",
    "critical",
    "cross_sections",
    "differential",
    "directional",
    "find",
    "first_order",
    "high_dimensional",
    "higher",
    "jacobian",
    "report",
    "residuals",
    "second_order",
    "taylor",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"gdlab.derivatives.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'gdlab.derivatives' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
