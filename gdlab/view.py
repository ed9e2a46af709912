"""Shows runs in TensorBoard: `python -m gdlab.view [DIR] [tensorboard arguments]`."""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdlab.cli.command import EXIT_USAGE, require_working_directory
from gdlab.cli.output import prepare_output
from gdlab.console import visible
from gdlab.errors import GdlabError
from gdlab.paths import user_path

if TYPE_CHECKING:
    from gdlab.board.late_service import LateService

USAGE = """\
usage: python -m gdlab.view [--trust] [DIR] [tensorboard arguments]

Shows the runs in and below the folder DIR (default: runs) in TensorBoard, on this machine only.
Further arguments are passed on to TensorBoard, for example:

    python -m gdlab.view runs/my_sweep --port 6007

--trust imports a loss of your own, and data, that the runs name, and shows their landscape.

All of TensorBoard's arguments: tensorboard --help"""

TAB = "trajectories"
_TRUST = "--trust"

# With more runs than this, a tab opens with none of them selected: Time Series, and the older ones.
MAX_SELECTED, MAX_SELECTED_ELSEWHERE = 500, 40
# A filter counts first: the pictures of up to 40 sweeps are selected, however many runs there are.
OVERVIEWS = "#images&regexInput=overview"

# gdlab writes at most 1,000 points and 10 pictures per tag, just within TensorBoard's defaults;
# these leave room for runs written by other programs.
SAMPLES = "scalars=5000,images=100,text=100"
RELOAD_SECONDS = 1

# After each file, a thread that reads many would wait 5 ms for those of TensorBoard that compute.
SWITCH_SECONDS = 5e-4


def count_runs(directory: Path, at_most: int) -> int:
    """Count the folders in and below `directory` with an event file, itself included.

    Args:
        directory: Where to look; links are followed, as in TensorBoard.
        at_most: Where to stop counting.

    Returns:
        The count, at most `at_most`.
    """
    count = 0
    seen = set()
    for folder, below, files in os.walk(directory, followlinks=True):
        count += any("tfevents" in name for name in files)
        if count >= at_most:
            break
        # A link may point back up; each folder is entered only once.
        identity = os.stat(folder)
        if (identity.st_dev, identity.st_ino) in seen:
            below.clear()
        seen.add((identity.st_dev, identity.st_ino))
    return count


@contextmanager
def under_its_name(directory: Path) -> Iterator[Path]:
    """Yield a folder in which TensorBoard finds the runs of a folder by names.

    It calls a run "." that is the folder itself; a folder with a link to it gives it its name.

    Args:
        directory: The folder with the runs.
    """
    whole = directory.resolve()
    is_run = any("tfevents" in path.name for path in directory.iterdir())
    if not is_run or not whole.name or sys.platform == "win32":  # links need rights there
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="gdlab-view-") as folder:
        Path(folder, whole.name).symlink_to(whole, target_is_directory=True)
        yield Path(folder)


def board_arguments(directory: Path, further: Sequence[str] = ()) -> list[str]:
    """Return TensorBoard's arguments for showing everything that gdlab records.

    Args:
        directory: The folder with the runs.
        further: Further arguments, which take precedence.

    Returns:
        The arguments, without the program's name.
    """
    arguments = [
        f"--logdir={directory.absolute()}",
        f"--samples_per_plugin={SAMPLES}",
        f"--reload_interval={RELOAD_SECONDS}",
    ]
    if "--bind_all" not in further:  # TensorBoard refuses both together
        arguments.append("--host=localhost")
    return [*arguments, *further]


def describe_address(url: str, runs: int) -> str:
    """Return the lines to print when TensorBoard can be opened: where, and what to do there.

    Args:
        url: TensorBoard's address, which ends in a slash.
        runs: The number of runs to show.

    Returns:
        One line for few runs. For many, more lines say where something is shown at first.
    """
    lines = [f"TensorBoard at {url}#{TAB} (Ctrl-C ends it)"]
    if runs > MAX_SELECTED:
        lines.append(
            f"More than {MAX_SELECTED} runs: HParams lists them. The other tabs select none at "
            "first: tick the box above the list in Time Series, press TOGGLE ALL RUNS elsewhere."
        )
    elif runs > MAX_SELECTED_ELSEWHERE:
        lines.append(
            f"{runs} runs: Time Series shows them, HParams lists them. The other tabs select none "
            "at first: press TOGGLE ALL RUNS."
        )
    if runs > MAX_SELECTED_ELSEWHERE:
        lines.append(f"Pictures of sweeps: {url}{OVERVIEWS}")
    return "\n".join(lines)


def raise_file_limit() -> None:
    """Raise this process's limit of open files to its hard limit.

    TensorBoard opens one per run; past the usual soft limit of 1,024 it omits runs silently.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS reports no hard limit and then refuses more than OPEN_MAX.
    limit = max(soft, 10_240) if hard == resource.RLIM_INFINITY else hard
    if soft not in (limit, resource.RLIM_INFINITY):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def board_plugins(service: "LateService") -> list[Any]:
    """Return TensorBoard's tabs, and the paths of the runs in a folder as one of them, once.

    Args:
        service: What answers for the folder.
    """
    from tensorboard import default

    from gdlab.board.plugin import TrajectoriesLoader, TrajectoriesPlugin

    others = [tab for tab in default.get_plugins() if tab is not TrajectoriesPlugin]
    return [*others, TrajectoriesLoader(service)]


def show(
    directory: Path,
    further: Sequence[str] = (),
    runs: int = 1,
    *,
    root: Path | None = None,
    trust: bool = False,
) -> int:
    """Run TensorBoard in this process until it is interrupted.

    Args:
        directory: The folder with the runs.
        further: Further arguments for TensorBoard.
        runs: The number of runs in it.
        root: The same folder where the first is a link to it.
        trust: Whether a loss that the runs name is imported, where gdlab has no such class.

    Returns:
        The exit code.
    """
    from gdlab.board.late_service import LateService

    raise_file_limit()
    sys.setswitchinterval(SWITCH_SECONDS)
    service = LateService(root or directory, trust=trust)
    service.prepare()  # while TensorBoard is imported and starts

    from absl import logging
    from tensorboard import program
    from tensorboard.plugins.base_plugin import FlagsError

    logging.set_verbosity(logging.WARNING)

    class Server(program.WerkzeugServer):
        def print_serving_message(self) -> None:
            print(describe_address(self.get_url(), runs), file=sys.stderr, flush=True)

    server = program.with_port_scanning(Server)
    board = program.TensorBoard(plugins=board_plugins(service), server_class=server)
    try:
        board.configure(["", *board_arguments(directory, further)])
    except FlagsError as error:
        return _refuse(str(error))
    return board.main()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The arguments without the program's name; by default those of the process.

    Returns:
        The exit code: 2 if there is nothing to show.
    """
    prepare_output()
    further = list(sys.argv[1:] if arguments is None else arguments)
    if further and further[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    try:
        require_working_directory()
    except GdlabError as error:
        return _refuse(str(error))
    trust = _TRUST in further
    further = [argument for argument in further if argument != _TRUST]
    named = further and not further[0].startswith("-")
    directory = user_path(further.pop(0) if named else "runs")
    if any(argument.split("=")[0] in ("--logdir", "--logdir_spec") for argument in further):
        return _refuse("give the folder first, without --logdir: python -m gdlab.view DIR")
    if not directory.is_dir():
        return _refuse(f"there is no folder {directory}")
    runs = count_runs(directory, at_most=MAX_SELECTED + 1)
    if not runs:
        return _refuse(f"the folder {directory} contains no runs (no event file in or below it)")
    try:
        with under_its_name(directory) as shown:
            return show(shown, further, runs, root=directory, trust=trust)
    except KeyboardInterrupt:
        return 130


def _refuse(message: str) -> int:
    print(f"gdlab.view: {visible(message)}", file=sys.stderr)
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
