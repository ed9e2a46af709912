"""What `python -m gdlab.view` asks of TensorBoard, and what it refuses."""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gdlab import view

# The HTML sanitizer inside TensorBoard warns of itself at its first import.
pytestmark = pytest.mark.filterwarnings("ignore:html5lib's sanitizer is deprecated")


def make_runs(directory: Path, count: int) -> Path:
    for number in range(count):
        run = directory / f"seed={number}"
        run.mkdir(parents=True)
        (run / "events.out.tfevents.1.0").touch()
    return directory


def parsed(arguments: list[str]) -> argparse.Namespace:
    """As TensorBoard itself reads them."""
    from tensorboard.plugins.core.core_plugin import CorePluginLoader

    parser = argparse.ArgumentParser()
    CorePluginLoader().define_flags(parser)
    return parser.parse_args(arguments)


# Arguments


def test_all_that_gdlab_records_is_shown_on_this_machine_only(tmp_path):
    flags = parsed(view.board_arguments(tmp_path))
    assert flags.logdir == str(tmp_path)
    assert flags.samples_per_plugin["scalars"] >= 1_000
    assert flags.samples_per_plugin["images"] >= 10
    assert flags.host == "localhost"
    assert not flags.bind_all
    assert 0 < flags.reload_interval < 5


def test_the_persons_own_arguments_win(tmp_path):
    own = ["--port", "6007", "--host=::1", "--reload_interval", "30"]
    flags = parsed(view.board_arguments(tmp_path, own))
    assert (flags.port, flags.host, flags.reload_interval) == (6007, "::1", 30)
    assert flags.samples_per_plugin["scalars"] >= 1_000


def test_bind_all_goes_without_a_host(tmp_path):
    flags = parsed(view.board_arguments(tmp_path, ["--bind_all"]))
    assert flags.bind_all
    assert flags.host is None


@pytest.fixture
def opened_boards(monkeypatch):
    """The calls of `show`, which starts nothing."""
    calls = []

    def show(directory: Path, further: list[str], runs: int, **options: Any) -> int:
        calls.append((str(directory), further, runs))
        return 0

    monkeypatch.setattr(view, "show", show)
    return calls


def test_the_folder_is_the_first_argument_and_runs_by_default(tmp_path, monkeypatch, opened_boards):
    make_runs(tmp_path / "runs", 1)
    make_runs(tmp_path / "other", 1)
    monkeypatch.chdir(tmp_path)
    assert view.main([]) == 0
    assert view.main(["--port", "6007"]) == 0
    assert view.main(["other", "--port", "6007"]) == 0
    port = ["--port", "6007"]
    folders = [("runs", []), ("runs", port), ("other", port)]
    assert opened_boards == [(*folder, 1) for folder in folders]


def test_a_run_that_is_the_folder_itself_has_its_name(tmp_path, monkeypatch):
    run = tmp_path / "lr=0.1,seed=2"
    run.mkdir()
    (run / "events.out.tfevents.1.a.0").touch()
    seen = []

    def show(directory: Path, further: list[str], runs: int, **options: Any) -> int:
        seen.append(directory)
        assert [path.name for path in directory.iterdir()] == [run.name]
        assert (directory / run.name).resolve() == run.resolve()
        return 0

    monkeypatch.setattr(view, "show", show)
    assert view.main([str(run)]) == 0
    assert not seen[0].exists()


def test_paths_on_their_landscape_are_one_tab(tmp_path, monkeypatch):
    """Where gdlab is installed, TensorBoard finds it by itself, too."""
    from tensorboard import default

    from gdlab.board.late_service import LateService
    from gdlab.board.plugin import TrajectoriesLoader, TrajectoriesPlugin

    monkeypatch.setattr(default, "get_dynamic_plugins", lambda: [TrajectoriesPlugin])
    tabs = view.board_plugins(LateService(tmp_path))
    assert len([tab for tab in tabs if isinstance(tab, TrajectoriesLoader)]) == 1
    assert TrajectoriesPlugin not in tabs
    assert len(tabs) > 5


@pytest.mark.parametrize(
    ("arguments", "trust"),
    [(["runs"], False), (["--trust", "runs"], True), (["runs", "--port", "1", "--trust"], True)],
)
def test_losses_are_imported_only_if_trusted(arguments, trust, tmp_path, monkeypatch):
    runs, seen = make_runs(tmp_path / "runs", 1), []

    def show(directory: Path, further: list[str], runs: int, **options: Any) -> int:
        seen.append((options, [word for word in further if "trust" in word]))
        return 0

    monkeypatch.setattr(view, "show", show)
    monkeypatch.chdir(tmp_path)
    assert view.main(arguments) == 0
    assert seen == [({"root": Path(runs.name), "trust": trust}, [])]


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent"], "there is no folder absent"),
        (["a_file"], "there is no folder a_file"),
        (["empty"], "the folder empty contains no runs"),
        (["--logdir=runs"], "without --logdir"),
        ([], "there is no folder runs"),
    ],
)
def test_nothing_to_show_is_one_line_and_code_2(
    arguments, message, tmp_path, monkeypatch, capsys, opened_boards
):
    (tmp_path / "a_file").touch()
    (tmp_path / "empty" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert view.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("gdlab.view: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert opened_boards == []


def test_a_missing_folder_from_the_command_line(tmp_path):
    command = [sys.executable, "-m", "gdlab.view", str(tmp_path / "absent")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"gdlab.view: there is no folder {tmp_path / 'absent'}\n"


def test_help_is_short(capsys):
    assert view.main(["--help"]) == 0
    assert len(capsys.readouterr().out.splitlines()) <= 12


def test_an_interrupt_while_starting_is_quiet(tmp_path, monkeypatch, capsys):
    def show(directory: Path, further: list[str], runs: int, **options: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(view, "show", show)
    assert view.main([str(make_runs(tmp_path, 1))]) == 130
    assert capsys.readouterr().err == ""


# Many runs


# number of runs, and what to do in the tabs that show none of them
TABS = [
    (1, []),
    (40, []),
    (41, ["41 runs: Time Series shows them", "press TOGGLE ALL RUNS."]),
    (500, ["500 runs: Time Series shows them", "press TOGGLE ALL RUNS."]),
    (501, ["More than 500 runs: HParams lists them", "tick the box above the list"]),
]


@pytest.mark.parametrize(("runs", "words"), TABS)
def test_the_address_opens_a_tab_that_shows_something(runs, words):
    first, *further = view.describe_address("http://h:1/", runs).split("\n")
    assert first == "TensorBoard at http://h:1/#trajectories (Ctrl-C ends it)"
    assert all(part in further[0] for part in words)
    pictures = "Pictures of sweeps: http://h:1/#images&regexInput=overview"
    assert further[1:] == [pictures] * bool(words)


def test_runs_are_counted_no_further_than_it_matters(tmp_path, opened_boards):
    assert view.main([str(make_runs(tmp_path, 502))]) == 0
    assert [runs for *_, runs in opened_boards] == [501]


def test_runs_are_counted_below_links_and_once(tmp_path):
    runs = make_runs(tmp_path / "runs", 3)
    (runs / "seed=0" / "events.out.tfevents.2.0").touch()
    (runs / "seed=1" / "up").symlink_to(tmp_path, target_is_directory=True)
    links = tmp_path / "links"
    links.mkdir()
    (links / "sweep").symlink_to(runs, target_is_directory=True)
    assert view.count_runs(runs, at_most=100) == 3
    assert view.count_runs(runs, at_most=2) == 2
    assert view.count_runs(links, at_most=100) == 3


RAISE_LIMIT = """
import resource
from gdlab.view import raise_file_limit

resource.setrlimit(resource.RLIMIT_NOFILE, (256, 4096))
raise_file_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
raise_file_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no resource limits on Windows")
def test_the_file_limit_is_raised_to_the_hard_one():
    command = [sys.executable, "-c", RAISE_LIMIT]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "4096 4096\n4096 4096\n"
