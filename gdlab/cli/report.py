"""Compute, print and save the report of a composed configuration."""

from functools import partial
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from gdlab.cli import hydra_internals, output, startup
from gdlab.cli.command import EXIT_FAILED
from gdlab.cli.run import claimed_run_directory
from gdlab.config.loading import instance_from_values, plain_values
from gdlab.console import PlainConsole, styled
from gdlab.derivatives.full_report import WIDTH, Report, answer
from gdlab.derivatives.question import Question
from gdlab.display.terminal import show_warning
from gdlab.errors import CUSTOM_ERRORS
from gdlab.fields.custom_classes import errors_as
from gdlab.losses.checks import check_definition
from gdlab.recording.files import errors_naming, write_atomically
from gdlab.recording.run_plots import why_not_drawn


def run_report(config: DictConfig) -> int:
    """Make the report of a composed configuration and return the exit code.

    Raises:
        SettingError: a setting cannot be used.
        OSError: a file cannot be written.
    """
    choices = {"loss": str(config.hydra.runtime.choices["loss"])}
    own = hydra_internals.without_hydra(config)
    with hydra_internals.current_config(config):
        question = instance_from_values(Question, plain_values(own), choices)
    startup.resume_garbage_collection()
    with errors_as(f"loss={question.name}"):
        check_definition(question.objective)
        report = answer(question)
    console = PlainConsole()
    console.width = max(console.width, WIDTH)
    directory = None
    if not output.wants_json():
        report.show(console)
    try:
        if question.draw:
            name = partial(_with_label, question=question)
            with claimed_run_directory(config, name) as directory, errors_naming(directory):
                _write_settings(directory / ".hydra", config)
                _save(directory, report)
    finally:  # print the report even if it could not be saved
        where = None if directory is None else str(directory)
        output.print_json(partial(report.data, files=where))
    if directory is not None and not output.wants_json():
        console.print(styled(("files  ", "dim"), str(directory)))
    return 0 if report.passed else EXIT_FAILED


def _with_label(path: Path, question: Question) -> Path:
    """Replace the name of the chosen loss at the end of a path by the label of the question."""
    text, chosen = str(path), question.choices["loss"]
    if not text.endswith(chosen):
        return path
    return Path(text.removesuffix(chosen) + question.label)


def _write_settings(directory: Path, config: DictConfig) -> None:
    """Write the composed configuration in the files that Hydra writes for its own jobs."""
    directory.mkdir()
    nodes = {
        "config": hydra_internals.without_hydra(config),
        "hydra": OmegaConf.masked_copy(config, "hydra"),
        "overrides": config.hydra.overrides.task,
    }
    for name, node in nodes.items():
        write_atomically(directory / f"{name}.yaml", OmegaConf.to_yaml(node).encode())


def _save(directory: Path, report: Report) -> None:
    """Write the data and the pictures of a report."""
    write_atomically(directory / "report.json", f"{report.json()}\n".encode())
    if report.loss_at_point is None or not report.question.formats:
        return
    from gdlab.derivatives.plots.report import draw

    try:
        draw(directory, report)
    except OSError:
        raise
    except CUSTOM_ERRORS as error:  # a custom loss may raise anything away from the point
        show_warning(why_not_drawn("report", error))
