"""A report from a composed configuration: checked, found out, shown, drawn."""

import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.text import Text

from gdlab import startup
from gdlab.command import EXIT_FAILED
from gdlab.derivatives.question import Question
from gdlab.derivatives.reporting import Report, answer
from gdlab.recording.run_dir import claim, write_whole
from gdlab.settings import filled, plain_values

_WIDTH = 120  # of tables at least, so that none is cut where the output is no terminal


def carry_out(config: DictConfig, *, as_json: bool) -> int:
    """Answer the question of a composed configuration and return the exit code.

    Raises:
        SettingError: a setting cannot be used; there is no directory then.
        OSError: a file cannot be written.
    """
    choices = {"loss": str(config.hydra.runtime.choices["loss"])}
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    question = filled(Question, plain_values(own), choices)
    startup.done()
    report = answer(question)
    console = Console(soft_wrap=True, highlight=False)
    console.width = max(console.width, _WIDTH)
    if not as_json:
        report.show(console)
    directory = _written(report, config) if question.draw else None
    where = None if directory is None else str(directory)
    if as_json:
        sys.stdout.write(f"{report.json(files=where)}\n")
    elif where is not None:
        console.print(Text.assemble(("files  ", "dim"), where))
    return 0 if report.passed else EXIT_FAILED


def _written(report: Report, config: DictConfig) -> Path:
    """The directory of a report, with its data and its pictures."""
    HydraConfig.instance().set_config(config)
    is_exact = any("hydra.run.dir=" in word for word in config.hydra.overrides.hydra)
    wanted = Path(str(config.hydra.run.dir))
    if not is_exact:
        chosen = config.hydra.runtime.choices["loss"]
        wanted = Path(str(wanted).replace(chosen, report.question.label))
    directory = claim(wanted, exact=is_exact)
    write_whole(directory / "report.json", f"{report.json()}\n".encode())
    if report.place is not None:
        from gdlab.derivatives.picturing import draw

        draw(directory, report)
    return directory
