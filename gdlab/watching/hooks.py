"""What is seen of an optimizer just before it takes a step, by its own hooks."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gdlab.numerics.rowwise import length

_PLAIN = (torch.float32, torch.float64)
_HALF = (torch.float16, torch.bfloat16)
_TINY = 1e-15  # a norm below which squares of float32 may lose digits


class StepHook:
    """Sees the gradients and learning rates of an optimizer at a step, unless it `is_open`.

    Of an optimizer that computes its gradients itself by a closure, as LBFGS does, it sees those of
    the first call of the closure.

    Args:
        optimizer: what is seen.
        before: called before the step.

    Attributes:
        is_open: whether a step was seen; whoever takes what was seen sets it to False.
        norm: the norm of its gradients; None where it had none.
        rates: the learning rates of its groups.
    """

    def __init__(self, optimizer: Optimizer, before: Callable[[], None]) -> None:
        self.optimizer, self._before = optimizer, before
        self.is_open = False
        self.norm: Tensor | float | None = None
        self.rates: list[float] = []
        self._handle = optimizer.register_step_pre_hook(self._see)

    def remove(self) -> None:
        """Take the hook away."""
        self._handle.remove()

    def look(self) -> None:
        """See the gradients and the learning rates as they are."""
        groups = self.optimizer.param_groups
        self.rates = [float(group["lr"]) for group in groups]
        norm = norm_of([p for group in groups for p in group["params"]])
        # A fused optimizer divides by the scale of a GradScaler itself.
        scale = getattr(self.optimizer, "grad_scale", None)
        self.norm = norm if scale is None or norm is None else norm / scale

    def _see(self, optimizer: Optimizer, args: Any, kwargs: Any) -> tuple[Any, Any] | None:
        if self.is_open:
            return None
        self._before()
        self.is_open = True
        self.look()
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is None:
            return None
        seen = _FirstCall(closure, self.look)
        if len(args) > 1:
            return (args[0], seen, *args[2:]), kwargs
        return args, {**kwargs, "closure": seen}


class _FirstCall:
    """A closure that is followed by something else the first time."""

    def __init__(self, closure: Callable[[], Any], after: Callable[[], None]) -> None:
        self._closure, self._after, self._is_first = closure, after, True

    def __call__(self) -> Any:
        loss = self._closure()
        if self._is_first:
            self._is_first = False
            self._after()
        return loss


def norm_of(parameters: Sequence[Tensor]) -> Tensor | float | None:
    """Return the norm of the gradients of parameters; None where none has one.

    On an accelerator it is a tensor there, for which no step has to wait.
    """
    grads = [grad for p in parameters if (grad := p.grad) is not None]
    if not grads:
        return None
    # In few operations of Python: after a step of a loop none of them is in the cache.
    if all(g.is_cpu and g.dtype in _PLAIN and not g.is_sparse for g in grads):
        norms = torch._foreach_norm(grads)  # type: ignore[attr-defined]  # it has no public name
        norm = math.hypot(*[norm.item() for norm in norms])
        return norm if _TINY < norm < math.inf else _norm_of_extremes(grads)
    return _norm_of_any(grads)


def _norm_of_any(grads: Sequence[Tensor]) -> Tensor | float:
    """Return the norm of gradients that may be sparse, of half precision, or on accelerators."""
    dense = [g.coalesce().values() if g.is_sparse else g for g in grads]
    wide = [g.float() if g.dtype in _HALF else g for g in dense]  # whose squares may overflow
    with torch.no_grad():
        # As in torch.nn.utils.get_total_norm, which takes half as long again.
        norms = torch._foreach_norm(wide)  # type: ignore[attr-defined]
        home = norms[0].device
        if home.type == "cpu" and all(norm.device == home for norm in norms):
            norm = math.hypot(*(norm.item() for norm in norms))
            return norm if _TINY < norm < math.inf else _norm_of_extremes(dense)
        return torch.stack([norm.to(home) for norm in norms]).norm()


def _norm_of_extremes(grads: Sequence[Tensor]) -> float:
    """Return the norm of gradients on the CPU whose squares overflow, or vanish, in their dtype."""
    with torch.no_grad():
        wide = (grad.abs().double().reshape(-1) for grad in grads if grad.numel())
        return math.hypot(*map(length, wide))
