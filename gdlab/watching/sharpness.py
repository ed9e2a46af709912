"""The sharpness of a model that is being trained, measured without a trace in the training.

Shapes: D weights.
"""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from gdlab.errors import SettingError
from gdlab.fields.formatting import describe_type
from gdlab.numerics.lanczos import lanczos

_TOLERANCE, _MOST_PRODUCTS = 1e-3, 200
_MOST_WEIGHTS = 10**7
"""The Lanczos method keeps up to 64 vectors of them: 2.6 GB."""

_FREED = "backward through the graph a second time"


class SharpnessMeter:
    """Measures λ_max, the largest eigenvalue of the Hessian of a closure, to a relative 1e-3.

    The model is in evaluation mode meanwhile, so that the loss is one function: without dropout,
    with the running statistics of batch normalization. Modes, buffers, gradients and the states of
    the random numbers of torch, numpy and Python are put back.

    Args:
        closure: returns the loss on a fixed batch.
        model: the model that it uses.
        parameters: returns those that are trained.
    """

    def __init__(
        self,
        closure: Callable[[], Any],
        model: nn.Module,
        parameters: Callable[[], Sequence[Tensor]],
    ) -> None:
        self._closure, self._model, self._parameters = closure, model, parameters

    def measure(self) -> float:
        """Return the sharpness at the weights as they are; NaN where it is not finite.

        Raises:
            SettingError: the closure returns no loss of the model, or the model is too large.
        """
        weights = [p for p in self._parameters() if p.requires_grad]
        dim = sum(p.numel() for p in weights)
        if dim > _MOST_WEIGHTS:
            raise SettingError(
                f"closure: the sharpness is measured of up to {_MOST_WEIGHTS:,} weights, "
                f"the optimizer trains {dim:,}"
            )
        with _untouched(self._model, weights), torch.enable_grad():
            grads = self._gradients(weights)
            product = _products(grads, weights)
            is_double = any(p.dtype == torch.float64 for p in weights)
            dtype = torch.float64 if is_double else torch.float32
            like = torch.zeros(1, dim, dtype=dtype, device=weights[0].device)
            found = lanczos(product, like, tolerance=_TOLERANCE, max_products=_MOST_PRODUCTS)
        return float(found.values)

    def _gradients(self, weights: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the gradient of the loss by each weight, which can be differentiated again."""
        loss = self._closure()
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            what = f"{loss.numel()} numbers" if isinstance(loss, Tensor) else describe_type(loss)
            raise SettingError(f"closure: must return the loss, a tensor of one number, not {what}")
        if not loss.requires_grad:
            raise SettingError("closure: must return a loss that depends on the weights")
        try:
            return torch.autograd.grad(
                loss.reshape(()), weights, create_graph=True, materialize_grads=True
            )
        except RuntimeError as error:
            if _FREED not in str(error):
                raise
            what = "must return the loss without calling backward"
            raise SettingError(f"closure: {what}") from error


def _products(grads: Sequence[Tensor], weights: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
    """Return the function that multiplies vectors (1, D) by the Hessian."""
    sizes = [p.numel() for p in weights]
    curved = [k for k, grad in enumerate(grads) if grad.requires_grad]

    def product(vector: Tensor) -> Tensor:
        if not curved:
            return torch.zeros_like(vector)
        parts = vector[0].split(sizes)
        along = [parts[k].view_as(weights[k]).to(weights[k]) for k in curved]
        found = torch.autograd.grad(
            [grads[k] for k in curved], weights, along, retain_graph=True, materialize_grads=True
        )
        dense = (part.to_dense() if part.is_sparse else part for part in found)
        return torch.cat([part.reshape(-1).to(vector) for part in dense])[None]

    return product


@contextmanager
def _untouched(model: nn.Module, weights: Sequence[Tensor]) -> Iterator[None]:
    """Evaluate a model and leave it, its gradients and the random numbers as they were."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(b, b._version, b.clone()) for b in model.buffers()]
    grads = [(p, p.grad) for p in {*model.parameters(), *weights}]
    of_python, of_numpy = random.getstate(), np.random.get_state()
    devices = {p.device for p in weights if p.device.type != "cpu"}
    with ExitStack() as stack:
        kind = next(iter(devices)).type if devices else "cuda"
        stack.enter_context(torch.random.fork_rng([*devices], device_type=kind))
        # The faster kernels of attention and of recurrent networks have no second derivatives.
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        if "torch._dynamo" in sys.modules:  # nor has compiled code
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        try:
            model.eval()
            for p, _ in grads:
                p.grad = None
            yield
        finally:
            for module, training in modes:
                module.training = training
            for p, grad in grads:
                p.grad = grad
            with torch.no_grad():
                for buffer, version, before in buffers:
                    if buffer._version != version:
                        buffer.copy_(before)
            random.setstate(of_python)
            np.random.set_state(of_numpy)
