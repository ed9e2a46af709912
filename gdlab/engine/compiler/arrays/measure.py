"""The C program of a mean over examples at recorded points."""

import torch
from torch import Tensor

from gdlab.engine.compiler.arrays.graph import View, contiguous, make_node
from gdlab.engine.compiler.arrays.totals import Totals
from gdlab.engine.compiler.arrays.writer import ArrayProgram, Writer
from gdlab.engine.compiler.program import Uncompilable
from gdlab.losses.base import Loss

_FRAMES = ("arrays/kernels.c", "arrays/examples.c", "arrays/measure.c")


def trace_metric(loss: Loss, name: str, x: Tensor) -> ArrayProgram:
    """Trace a metric that is a mean over examples.

    Args:
        loss: its `Number` fields are columns (1,).
        name: of the metric, one of `loss.partial_metrics`.
        x: a point (1, D).

    Raises:
        Uncompilable: something has no compiled form; the message says what.
    """
    writer = Writer(x.dtype)
    metric, tracer = loss.with_columns(writer.follow_column).partial_metrics[name], writer.tracer
    point, chosen, weight = tracer.follow(x, "x"), tracer.choose(), writer.follow_weight(x)
    with tracer, torch.no_grad():
        value, present = metric.function(point, chosen), (weight > 0).to(x.dtype)
    if value.shape != (1,):
        raise Uncompilable("the metric of one example is not one number")
    total = Totals().product(tracer.view(value), tracer.view(present))
    mean = _divide(total, metric.examples)
    writer.write("mean", ("x", "column"), {"value": mean})
    source, constants = writer.finish(_FRAMES, {"D": x.numel()}, metric.examples)
    work = sum(constants[name] for name in ("DP", "CP", "TILE", "SHARED"))
    return ArrayProgram(source, tracer.tables, work)


def _divide(view: View, count: int) -> View:
    """Return a view divided by a number."""
    strides = contiguous(view.sizes)
    return make_node("elementwise", "div", [view, float(count)], view.sizes, strides).whole()
