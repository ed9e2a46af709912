"""A run in the viewer, as `gdlab.Run.view` shows it."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from gdlab.config.settings import Settings
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.recording.recorder import RunRecorder
from gdlab.recording.run_plots import loss_title
from gdlab.recording.settings_file import write_settings
from gdlab.viewer.messages import messages_of
from gdlab.viewer.notebook import View


def view_run(settings: Settings, outcome: Outcome, history: History, seconds: float) -> View:
    """Return a run in the viewer.

    Its files are written to a folder that is removed again: the viewer reads no run but from files.
    The loss is that of the run itself, which need not be one of gdlab's.

    Args:
        settings: the settings of the run.
        outcome: how it ended.
        history: all its records.
        seconds: that it took.
    """
    quiet = replace(settings.record, figures=False, events=False)
    name = f"{settings.name('optimizer')}, lr={settings.lr:g}"
    with TemporaryDirectory() as folder:
        directory = Path(folder) / name.replace("/", "_")
        directory.mkdir()
        write_settings(directory, settings, durable=False)
        recorder = RunRecorder(directory, settings.unchecked(record=quiet), durable=False)
        recorder.write(history)
        recorder.close(outcome, seconds)
        messages = messages_of([directory], known=settings)
    return View(f"{loss_title(settings)}, {name}", messages)
