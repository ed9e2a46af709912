"""The pages of the site that are made of conf, docstrings, experiments and notebooks."""

import shutil
from pathlib import Path

import api_page
import experiments_page
import leaderboard_page
import loss_page
import notebook_page
import settings_page


def write(docs: Path) -> None:
    """Write them into the folder docs, where git ignores them."""
    for folder in ("losses", "experiments", "api"):
        shutil.rmtree(docs / folder, ignore_errors=True)
        (docs / folder).mkdir()
    experiments_page.write(docs.parent / "experiments", docs / "experiments")
    notebook_page.write(docs / "notebooks")
    api_page.write(docs / "api")
    data = docs / "leaderboard"
    if data.is_dir():
        leaderboard_page.write(data, docs)
    (docs / "settings.md").write_text(settings_page.page(), encoding="utf-8")
    (docs / "losses.md").write_text(loss_page.page(docs / "losses"), encoding="utf-8")
