"""Two processes never write into one directory at the same time."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gdlab import SettingError
from gdlab.recording.lock import locked

HOLDS = """
import sys, time
from pathlib import Path
from gdlab.recording.lock import locked
with locked(Path(sys.argv[1]), "resume"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_directory_is_locked_once(tmp_path: Path) -> None:
    with (
        locked(tmp_path, "resume"),
        pytest.raises(SettingError, match=r"^resume=.*: another process is writing into it"),
        locked(tmp_path, "resume"),
    ):
        pass
    with locked(tmp_path, "hydra.sweep.dir"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(SettingError, match="another process"), locked(tmp_path, "resume"):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with locked(tmp_path, "resume"):
        pass
