"""The viewer with 1,000 runs of 1,000 steps: its server, its page in TensorBoard, a report.

    python benchmarks/viewer.py [DIR]

DIR holds the runs; without it they are made in a temporary folder. The server's part runs in its
own process: seconds of the processor and of the clock, its memory at its peak. The page's part,
in Chromium with WebGL by software, is left out where there is no `chromium` or no playwright.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS, SEEDS = 1_000, 100
RATES = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1)
MIB = 2**20

MAKE = """
import sys
import gdlab

gdlab.sweep("rosenbrock", "adam", lr=json_rates, seed=list(range(int(sys.argv[2]))),
            start_spread=1.0, steps=int(sys.argv[3]), directory=sys.argv[1],
            **{"record.figures": False, "record.max_run_dirs": 1000})
"""

SERVE = """
import json, sys, time
import tensorboard.program
from tensorboard import default
from pathlib import Path

def peak():
    status = open("/proc/self/status").read()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])

def timed(task):
    cpu, clock = time.process_time(), time.perf_counter()
    result = task()
    report.append({"cpu": time.process_time() - cpu, "clock": time.perf_counter() - clock})
    return result

report = []
default.get_plugins()
timed(lambda: __import__("torch"))
timed(lambda: __import__("gdlab.board.service"))
from gdlab.board.service import Service
from gdlab.viewer.format import decode

service = Service(Path(sys.argv[1]))
timed(lambda: service.answer("catalogue", {}))
scene = timed(lambda: service.answer("scene", {"problem": "p0"}))
timed(lambda: service.answer("catalogue", {}))
grids = [f"{-2 + k / 10},{2 + k / 10},-1,3" for k in range(10)]
timed(lambda: [service.answer("grid", {"problem": "p0", "view": view}) for view in grids])
points = sum(len(run["step"]) for run in decode(scene)["runs"])
print(json.dumps({"times": report, "bytes": len(scene), "points": points, "peak": peak()}))
"""

WHAT = ("import torch", "import the service", "catalogue", "scene", "catalogue again", "10 grids")


REPORT = """
import sys
import gdlab

gdlab.sweep("rosenbrock", "adam", lr=[0.01, 0.1], seed=list(range(100)), start_spread=1.0,
            steps=int(sys.argv[2]), directory=sys.argv[1], **{"record.figures": False})
"""


def main() -> None:
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        directory = sys.argv[1] if len(sys.argv) > 1 else make_runs(Path(folder) / "sweep")
        measure_server(directory)
        measure_page(directory)
        measure_report(Path(folder) / "report")
    print(f"total: {time.perf_counter() - began:.0f} s, load {os.getloadavg()[0]:.1f}")


def measure_server(directory: str) -> None:
    """Print what the server takes for the messages that the page asks for."""
    report = json.loads(run_python(SERVE, directory))
    times = dict(zip(WHAT, report["times"], strict=True))
    for what, seconds in times.items():
        print(f"{what}: {seconds['cpu']:.2f} s of processor, {seconds['clock']:.2f} s")
    both = sum(times[what]["cpu"] for what in ("catalogue", "scene"))
    print(f"catalogue and first scene: {both:.2f} s of processor (goal: < 2 s)")
    print(f"message: {report['bytes'] / MIB:.1f} MiB, {report['points']:,} points")
    print(f"memory of these messages: {report['peak'] / MIB:.0f} MiB at its peak")


def measure_page(directory: str) -> None:
    """Print what the page takes in a browser, or why it is left out."""
    try:
        import viewer_page
    except ImportError:
        print("page: left out, as there is no playwright (pip install playwright)")
        return
    if viewer_page.CHROMIUM is None:
        print("page: left out, as there is no `chromium` on PATH")
        return
    for line in viewer_page.measure(directory):
        print(line, flush=True)


def measure_report(directory: Path) -> None:
    """Print the size of the report of 200 runs."""
    run_python(REPORT, str(directory), str(STEPS))
    command = [sys.executable, "-m", "gdlab.report", str(directory)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    size = (directory / "report.html").stat().st_size
    print(f"report.html of 200 runs: {size / 1e6:.2f} MB (goal: <= 3 MB)")


def make_runs(directory: Path) -> str:
    """Record the runs, and return their directory."""
    program = MAKE.replace("json_rates", repr(list(RATES)))
    run_python(program, str(directory), str(SEEDS), str(STEPS))
    return str(directory)


def run_python(program: str, *arguments: str) -> str:
    """Run a program in its own process, and return what it prints."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
