"""The calculus behind every step: derivatives computed in independent ways, and shown.

`python -m gdlab.derivatives loss=beale 'at=[1,2]'` prints a report; `report` gives the same from
Python, and each part of it has a function of its own:

>>> from gdlab.derivatives import Place, first_order, report
>>> from gdlab.losses import Beale
>>> first_order(Place(Beale(), [1.0, 2.0])).gradient.tolist()
[171.25, 278.0]
>>> report("beale", at=[1, 2]).findings["hessian"].max_stable_lr > 0.002
True

The names are imported when they are first used, so that `--help` answers without torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdlab.derivatives.backprop import backpropagation
    from gdlab.derivatives.chain import along_path, composition
    from gdlab.derivatives.check import check_gradient
    from gdlab.derivatives.critical_points import critical, find
    from gdlab.derivatives.cross import cross_sections
    from gdlab.derivatives.directions import directional
    from gdlab.derivatives.first import first_order
    from gdlab.derivatives.higher_orders import higher
    from gdlab.derivatives.jacobians import jacobian
    from gdlab.derivatives.least_squares import residuals
    from gdlab.derivatives.many import large
    from gdlab.derivatives.place import Place
    from gdlab.derivatives.reporting import Report, report
    from gdlab.derivatives.second import second_order
    from gdlab.derivatives.tangent import differential, taylor

_HOMES = {
    "Place": "place",
    "Report": "reporting",
    "along_path": "chain",
    "backpropagation": "backprop",
    "check_gradient": "check",
    "composition": "chain",
    "critical": "critical_points",
    "cross_sections": "cross",
    "differential": "tangent",
    "directional": "directions",
    "find": "critical_points",
    "first_order": "first",
    "higher": "higher_orders",
    "jacobian": "jacobians",
    "large": "many",
    "report": "reporting",
    "residuals": "least_squares",
    "second_order": "second",
    "taylor": "tangent",
}

__all__ = [
    "Place",
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
    "higher",
    "jacobian",
    "large",
    "report",
    "residuals",
    "second_order",
    "taylor",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"gdlab.derivatives.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'gdlab.derivatives' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
