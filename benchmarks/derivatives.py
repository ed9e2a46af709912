"""Large D: λ_max of networks by Lanczos, and the two ways to a product of the Hessian.

    python benchmarks/derivatives.py

Each part is a process of its own on one core, whose memory is the most that it ever had, with
`import torch`.
"""

import subprocess
import sys

HEAD = """
import time
import torch
from gdlab.derivatives.lanczos import lanczos
from gdlab.gradient import hessian_products
from gdlab.derivatives.many import large
from gdlab.derivatives.place import Place
from gdlab.losses import MLP

torch.set_num_threads(1)

def peak():
    status = open("/proc/self/status").read()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024

def timed(function, times=1):
    function()
    began = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - began) / times
"""

GREATEST = """
loss = MLP(data="digits", widths=(256, 256, 128))
x = loss.start
began = time.perf_counter()
found = lanczos(hessian_products(loss, x[None]), x[None])
seconds = time.perf_counter() - began
print(f"MLP on digits, D = {loss.dim:,}, {loss.examples:,} examples: λ_max = "
      f"{float(found.values):.8f} ± {float(found.errors):.1e}, {found.products} products, "
      f"{seconds:.1f} s, {peak():.0f} MiB "
      f"(at most 30 s, 2,048 MiB)")
"""

FINDING = """
loss = MLP(data="digits", widths=(256, 256, 128))
began = time.perf_counter()
found = large(Place(loss), k=3)
seconds = time.perf_counter() - began
print(f"all of `large` with 3 eigenvalues there: {found.products} products, {seconds:.1f} s, "
      f"{peak():.0f} MiB")
"""

PRODUCTS = """
for widths, rows in (((16, 16), 1), ((16, 16), 50), ((256, 256), 1)):
    loss = MLP(data="digits", widths=widths)
    x = loss.starts(torch.arange(rows))
    v = torch.randn_like(x)
    gradient = torch.func.grad(lambda x: loss(x).sum())
    kept = hessian_products(loss, x)
    ways = {
        "kept graph": lambda: kept(v),
        "double backward": lambda: hessian_products(loss, x)(v),
        "torch.func.jvp": lambda: torch.func.jvp(gradient, (x,), (v,)),
        "gradient": lambda: gradient(x),
    }
    times = {name: timed(way, 5) for name, way in ways.items()}
    shown = ", ".join(f"{name} {1e3 * seconds:.1f} ms" for name, seconds in times.items())
    print(f"a product, D = {loss.dim:,}, {rows} rows: {shown}")
"""

ALONG = """
import gdlab
from gdlab.configuring import from_flat
from gdlab.plan import batch_of
from gdlab.engine import advance
from gdlab.history import pieces
import numpy as np

def run(every):
    given = {"loss": MLP(widths=(20, 20, 20), data="teacher_student", count=50),
             "record.sharpness_every": every, "steps": 300}
    batch = batch_of(from_flat(given), {"lr": np.geomspace(0.001, 0.05, 30)}, 30)
    for chunk in advance(batch):
        for _ in pieces(chunk):
            pass

never, tenth, always = (timed(lambda every=every: run(every)) for every in (None, 10, 1))
print(f"30 runs of 300 steps of a network with 1,000 weights: {never:.2f} s without the sharpness, "
      f"{tenth:.2f} s with it at every 10th step, {always:.2f} s at every step")
"""


def main() -> None:
    for part in (GREATEST, FINDING, PRODUCTS, ALONG):
        subprocess.run([sys.executable, "-c", HEAD + part], check=True)


if __name__ == "__main__":
    main()
