"""Every command, program, printed line and picture of the site's pages, run as a reader would."""

from pathlib import Path

import examples
import pytest

PAGES = examples.hand_written()
pytestmark = pytest.mark.site


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_page_is_true(page: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(here))
    assert examples.check(page) == [], f"python docs/examples.py --write {page.name}"
