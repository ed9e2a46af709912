"""What a page shows is compared with what was printed, and written anew."""

import pytest
from shown_text import difference, renew, same_line

PRINTED = "status ok\nloss  0.25\nsteps 12\nfiles runs/260102-030405-x\nend\n"


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("loss  0.25", "loss 0.250001", True),
        ("loss 0.25", "loss 0.26", False),
        ("rest 1e-17", "rest -3.5e-13", True),
        ("steps 175", "steps 176", False),
        ("x0 = 1", "x1 = 1", False),
        ("took ... s", "took 12 s", True),
        ("took ... s", "took 12 ms", False),
        ("files runs/...-sweep", "files runs/260102-030405-sweep-2", True),
        ("files runs/...-sweep/x", "files runs/260102-030405-sweep-12/x", True),
        ("files runs/...-lr=0.1", "files runs/260102-030405-lr=0.2", False),
        ("files runs/...,lr=1e-05", "files runs/260102-030405-adam,lr=1e-05", True),
    ],
)
def test_lines(shown: str, printed: str, same: bool) -> None:
    assert same_line(shown, printed) is same


@pytest.mark.parametrize(
    ("shown", "wrong"),
    [
        ("...\nloss 0.25\n...\n", None),
        ("status ok\n...\nend\n", None),
        ("status ok\n", "loss  0.25\nsteps 12\nfiles runs/260102-030405-x\nend"),
        ("...\nsteps 12\n...\nloss 0.25\n...\n", "loss 0.25"),
        ("...\nsteps 12\n", "steps 12"),
    ],
)
def test_blocks(shown: str, wrong: str | None) -> None:
    assert difference(shown, PRINTED) == wrong


@pytest.mark.parametrize(
    ("shown", "renewed"),
    [
        ("", PRINTED.replace("260102-030405", "...")),
        ("status bad\nloss 0.31\n  ...\n", "status ok\nloss  0.25\n  ...\n"),
        ("...\nloss 0.31\n  ...\nend\n", "...\nloss  0.25\n  ...\nend\n"),
    ],
)
def test_renewed_blocks_are_true_and_cut_as_before(shown: str, renewed: str) -> None:
    assert renew(shown, PRINTED) == renewed
    assert difference(renewed, PRINTED) is None


def test_renewed_names_are_those_of_a_quiet_second() -> None:
    assert renew("", "files runs/260102-030405-x-2\n") == "files runs/...-x\n"
    assert renew("", "files runs/260102-030405-lr=1e-5\n") == "files runs/...-lr=1e-5\n"
