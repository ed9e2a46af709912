"""A report from a composed configuration: checked, found out, shown, drawn."""

import sys

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from gdlab import startup
from gdlab.command import EXIT_FAILED
from gdlab.derivatives.question import Question
from gdlab.derivatives.report import answer
from gdlab.settings import filled, plain_values

_WIDTH = 120


def carry_out(config: DictConfig, *, as_json: bool) -> int:
    """Answer the question of a composed configuration and return the exit code.

    Raises:
        SettingError: a setting cannot be used.
        OSError: a file cannot be written.
    """
    choices = {"loss": str(config.hydra.runtime.choices["loss"])}
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    question = filled(Question, plain_values(own), choices)
    startup.done()
    report = answer(question)
    if as_json:
        sys.stdout.write(f"{report.json()}\n")
    else:
        console = Console(soft_wrap=True, highlight=False)
        console.width = max(console.width, _WIDTH)
        report.show(console)
    return 0 if report.passed else EXIT_FAILED
