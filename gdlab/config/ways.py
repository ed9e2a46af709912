"""How an object of Python that is no loss, optimizer or schedule could be used, in a few words."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

from gdlab.fields.declared import Configured
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import choices_of, did_you_mean
from gdlab.losses.base import Loss
from gdlab.optimizers.base import Optimizer
from gdlab.schedules import Schedule

_KINDS: Mapping[type[Configured], str] = {
    Loss: "a loss",
    Optimizer: "an optimizer",
    Schedule: "a schedule",
}


def is_a(given: Any, base: type) -> bool:
    """Return whether an object is an instance or a subclass of a class."""
    return isinstance(given, base) or (isinstance(given, type) and issubclass(given, base))


def way_for(base: type[Configured], given: Any) -> str:
    """Return how an object could be used where a loss, an optimizer or a schedule is expected.

    Args:
        base: `Loss`, `Optimizer` or `Schedule`.
        given: what was given in its place.

    Returns:
        A clause; empty where there is no way.
    """
    other = next((kind for cls, kind in _KINDS.items() if is_a(given, cls)), None)
    if other is not None:
        return f"it is {other}"
    if isinstance(given, (list, tuple)) and given and all(map(_may_be_choice, given)):
        return "gdlab.sweep runs several"
    return next((way(given) for fits, way in _WAYS[base] if fits(given)), "")


def _may_be_choice(item: Any) -> bool:
    return isinstance(item, str) or callable(item) or any(is_a(item, cls) for cls in _KINDS)


def _is_number(given: Any) -> bool:
    return isinstance(given, (int, float)) and not isinstance(given, bool)


def _is_cost(given: Any) -> bool:
    """Return whether an object is a criterion of torch, or another module without parameters."""
    if isinstance(given, torch.nn.Module):
        return not any(True for _ in given.parameters())
    return is_a(given, torch.nn.modules.loss._Loss)


def _is_data(given: Any) -> bool:
    return isinstance(given, (Sequence, Mapping)) or hasattr(given, "shape")


def _for_optimizer(given: torch.optim.Optimizer) -> str:
    """Write the class of a torch optimizer with those of its settings that are not the defaults."""
    usual = inspect.signature(type(given)).parameters
    changed = {
        name: value
        for name, value in given.defaults.items()
        if name in usual and not isinstance(value, torch.Tensor) and value != usual[name].default
    }
    settings = "".join(f", {name}={value!r}" for name, value in changed.items())
    cls = f"{type(given).__module__.removesuffix(f'.{type(given).__name__.lower()}')}"
    name = f"{cls}.{type(given).__name__}"
    return f"it steps its own parameters; give its class, as optimizer={name}{settings}"


def _for_schedule(given: Any) -> str:
    name = (given if isinstance(given, type) else type(given)).__name__
    hint = did_you_mean(name.removesuffix("LR"), choices_of("schedule"))
    return f"schedulers of torch step its optimizers{hint}"


Ways = Sequence[tuple[Callable[[Any], bool], Callable[[Any], str]]]

_WAYS: Mapping[type[Configured], Ways] = {
    Loss: (
        (
            _is_cost,
            lambda _: (
                "it compares scores with targets; give a network, as in "
                "gdlab.run(net, data=(features, targets)), or a loss such as mse"
            ),
        ),
        (
            lambda given: is_a(given, torch.nn.Module),
            lambda _: "a network needs data, as in gdlab.run(net, data=(features, targets))",
        ),
        (
            lambda given: hasattr(given, "free_symbols"),
            lambda given: f'a formula is gdlab.run("expression", formula="{format_value(given)}")',
        ),
        (_is_data, lambda _: 'data need a model, as in gdlab.run("mse", data=…)'),
    ),
    Optimizer: (
        (lambda given: isinstance(given, torch.optim.Optimizer), _for_optimizer),
        (_is_number, lambda given: f"a learning rate is lr={format_value(given)}"),
    ),
    Schedule: (
        (lambda given: is_a(given, LRScheduler), _for_schedule),
        (
            lambda given: callable(given) and not isinstance(given, type),
            lambda _: "a rule of your own is a subclass of gdlab.Schedule",
        ),
    ),
}
