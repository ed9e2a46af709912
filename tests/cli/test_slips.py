"""Words that a shell took apart are told in one line, as they were meant."""

import pytest

from gdlab.cli.slips import refuse_slips
from gdlab.errors import SettingError

SLIPS = [
    ("lr = 0.1", "lr = 0.1: must have no blanks around =: lr=0.1"),
    ("lr =0.1", "lr =0.1: must have no blanks around =: lr=0.1"),
    ("steps=3 lr= 0.1", "lr= 0.1: must have no blanks around =: lr=0.1"),
    ("start=x:1 start=y:2", "start=x:1 start=y:2: braces need quotes: 'start={x:1,y:2}'"),
    ("start=[1, 2] lr=1", "start=[1, 2]: a value with blanks needs quotes: 'start=[1, 2]'"),
    ("at={x: 1, y: 2}", "at={x: 1, y: 2}: a value with blanks needs quotes: 'at={x: 1, y: 2}'"),
]
FINE = ["lr=0.1 seed=1 seed=2", "start=[1,2]", "lr", "loss.formula= lr=1", "lr== 3", "a=[1, b=2]"]


@pytest.mark.parametrize(("typed", "message"), SLIPS)
def test_a_slip_is_told_with_what_was_meant(typed: str, message: str) -> None:
    with pytest.raises(SettingError) as refused:
        refuse_slips(typed.split())
    assert str(refused.value) == message


@pytest.mark.parametrize("typed", FINE)
def test_other_words_are_left_to_hydra(typed: str) -> None:
    refuse_slips(typed.split())
