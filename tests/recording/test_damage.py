"""Damaged files never give another result: seventy of the damages of benchmarks/damage.py."""

import re
import subprocess
import sys

from helpers.files import ROOT

EACH, SEED = 4, 3
LINE = re.compile(r"^\S+ +(load|view|resume|compile_and_run) +\{(.*)\}$")


def test_a_damaged_file_gives_the_same_result_or_one_line_that_names_it() -> None:
    """A signal, a traceback, no end or another result would be counted as failed."""
    command = [sys.executable, "benchmarks/damage.py", str(EACH), str(SEED)]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    lines = [LINE.match(line) for line in done.stdout.splitlines()]
    found = [dict(re.findall(r"'(\w+)': (\d+)", line[2])) for line in lines if line]
    assert len(found) == len(lines) == 18, done.stdout
    for counts in found:
        assert counts.keys() <= {"true", "refused"}
        assert sum(map(int, counts.values())) == EACH
    assert {"true", "refused"} == {outcome for counts in found for outcome in counts}
