"""Two processes never write into one directory at the same time."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from gdlab import SettingError
from gdlab.recording.lock import claimed, locked

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


def test_of_many_that_claim_a_directory_at_once_one_has_it(tmp_path: Path) -> None:
    """The others find it locked, or filled by one that came and went."""
    together = Barrier(8)

    def claim(number: int) -> str | None:
        together.wait()
        try:
            with claimed(tmp_path / "s", exact=True, setting="directory") as path:
                (path / str(number)).touch()
        except SettingError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(claim, range(8)))
    (winner,) = (number for number, error in enumerate(said) if error is None)
    assert [path.name for path in (tmp_path / "s").iterdir()] == [str(winner)]
    refused = ("is not empty", "another process is writing into it")
    assert all(any(why in error for why in refused) for error in said if error is not None)


def test_a_claimed_directory_is_locked(tmp_path: Path) -> None:
    with claimed(tmp_path / "s", exact=True, setting="directory") as path:
        with pytest.raises(SettingError, match=r"^resume=.*: another"), locked(path, "resume"):
            pass
        with (
            pytest.raises(SettingError, match=r"^hydra.run.dir=.*: another"),
            claimed(path, exact=True, setting="hydra.run.dir"),
        ):
            pass
        with claimed(path, exact=False, setting="hydra.run.dir") as other:
            assert other.name == "s-2"
