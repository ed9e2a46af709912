"""The settings of pictures: their formats and their size."""

from typing import Any

import pytest

from gdlab.config.loading import settings_from_flat
from gdlab.config.overrides import to_hydra_overrides
from gdlab.errors import SettingError

# record.figures, and the formats
FORMATS: list[tuple[Any, tuple[str, ...]]] = [
    (True, ("png",)),
    (False, ()),
    ("svg", ("svg",)),
    ("png, svg", ("png", "svg")),
    (["pdf", "png", "pdf"], ("pdf", "png")),
]


@pytest.mark.parametrize(("given", "formats"), FORMATS)
def test_formats_are_given_as_one_several_or_a_list(given: Any, formats: tuple[str, ...]) -> None:
    assert settings_from_flat({"record.figures": given}).record.formats == formats


# settings, and what the error says
WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"record.figures": "jpg"},
        "record.figures=jpg: must be true, false, or some of png, svg, pdf",
    ),
    ({"record.figures": ["png", "gif"]}, r"record.figures=\[png,gif\]: must be true, false"),
    ({"record.figures": ""}, "record.figures=: must be true, false"),
    ({"record.figures": []}, r"record.figures=\[\]: must be true, false"),
    ({"record.figure_size": [6, 1]}, r"record.figure_size\[1\]=1: must be a finite number ≥ 3 and"),
    ({"record.figure_size": 6}, "record.figure_size=6: must be a list"),
]


@pytest.mark.parametrize(("given", "message"), WRONG)
def test_a_wrong_format_or_size_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=f"^{message}"):
        settings_from_flat(given)


def test_their_lists_need_no_brackets() -> None:
    typed = ["record.figures=png,svg", "record.figure_size=8,6", "record.figures=[png,svg]"]
    expected = ["record.figures=[png,svg]", "record.figure_size=[8,6]", "record.figures=[png,svg]"]
    assert to_hydra_overrides(typed) == expected
