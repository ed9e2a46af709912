"""Many dimensions: λ_max of networks by Lanczos, and ways to compute Hessian-vector products.

    python benchmarks/derivatives.py

Each part runs in its own process on one core. Its memory is the peak, with `import torch`.
"""

import subprocess
import sys

HEAD = """
import time
import torch
from gdlab.derivatives.findings.high_dimensional import high_dimensional
from gdlab.derivatives.point import LossAtPoint
from gdlab.losses import MLP
from gdlab.numerics.autodiff import hessian_products
from gdlab.numerics.lanczos import lanczos

torch.set_num_threads(1)

def peak():
    status = open("/proc/self/status").read()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024

def seconds_of(function, times=1):
    function()
    start = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - start) / times
"""

SHARPNESS = """
loss = MLP(data="digits", widths=(256, 256, 128))
x = loss.start
start = time.perf_counter()
result = lanczos(hessian_products(loss, x[None]), x[None])
seconds = time.perf_counter() - start
print(f"MLP on digits, D = {loss.dim:,}, {loss.examples:,} examples: λ_max = "
      f"{float(result.values):.8f} ± {float(result.errors):.1e}, {result.products} products, "
      f"{seconds:.1f} s, {peak():.0f} MiB "
      f"(goal: at most 30 s, 2,048 MiB)")
"""

FINDING = """
loss = MLP(data="digits", widths=(256, 256, 128))
start = time.perf_counter()
finding = high_dimensional(LossAtPoint(loss), k=3)
seconds = time.perf_counter() - start
print(f"`high_dimensional` with 3 eigenvalues there: {finding.products} products, {seconds:.1f} s, "
      f"{peak():.0f} MiB")
"""

PRODUCTS = """
for widths, rows in (((16, 16), 1), ((16, 16), 50), ((256, 256), 1)):
    loss = MLP(data="digits", widths=widths)
    x = loss.starts(torch.arange(rows))
    v = torch.randn_like(x)
    gradient = torch.func.grad(lambda x: loss(x).sum())
    product = hessian_products(loss, x)
    ways = {
        "kept": lambda: product(v),
        "rebuilt": lambda: hessian_products(loss, x)(v),
        "torch.func.jvp": lambda: torch.func.jvp(gradient, (x,), (v,)),
        "gradient": lambda: gradient(x),
    }
    times = {name: seconds_of(way, 5) for name, way in ways.items()}
    summary = ", ".join(f"{name} {1e3 * seconds:.1f} ms" for name, seconds in times.items())
    print(f"one product, D = {loss.dim:,}, {rows} rows: {summary}")
"""

ALONG_RUNS = """
import gdlab
from gdlab.config.loading import settings_from_flat
from gdlab.engine.history import split_by_run
from gdlab.engine.loop import advance
from gdlab.runs.batching import batch_of
import numpy as np

def run(every):
    given = {"loss": MLP(widths=(20, 20, 20), data="teacher_student", count=50),
             "record.sharpness_every": every, "steps": 300}
    batch = batch_of(settings_from_flat(given), {"lr": np.geomspace(0.001, 0.05, 30)}, 30)
    for chunk in advance(batch):
        for _ in split_by_run(chunk):
            pass

never, tenth, always = (seconds_of(lambda every=every: run(every)) for every in (None, 10, 1))
print(f"30 runs of 300 steps of a network with 1,000 weights: {never:.2f} s without the sharpness, "
      f"{tenth:.2f} s with it at every 10th step, {always:.2f} s at every step")
"""


def main() -> None:
    for part in (SHARPNESS, FINDING, PRODUCTS, ALONG_RUNS):
        subprocess.run([sys.executable, "-c", HEAD + part], check=True)


if __name__ == "__main__":
    main()
