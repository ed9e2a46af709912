"""The blocks and pictures of a page, in order, and what becomes of each."""

from pathlib import Path

from examples import Block, Picture, Session, read_items


def test_items_of_a_page() -> None:
    page = 'a\n```sh\nls\n```\n![b](b.png)\n![c](c.png "runs/*/c.png")\n'
    assert read_items(page) == [Block("sh", "ls\n", (8, 11)), Picture("c.png", "runs/*/c.png")]


def test_files_are_named_above_their_block() -> None:
    page = "In `mine/a.yaml`:\n\n```yaml\na: 1\n```\n"
    assert read_items(page) == [Block("yaml", "a: 1\n", (27, 32), "mine/a.yaml")]


def test_blocks_that_are_not_run_say_why() -> None:
    page = "<!-- not run: needs Slurm -->\n```sh\nls\n```\n"
    assert read_items(page) == [Block("sh", "ls\n", (36, 39), None, "needs Slurm")]


def test_a_session_writes_files_and_leaves_out_what_is_not_run(here: Path) -> None:
    session = Session()
    session.take(Block("yaml", "a: 1\n", (0, 5), "mine/a.yaml"), draw=False)
    assert (here / "mine" / "a.yaml").read_text(encoding="utf-8") == "a: 1\n"
    session.take(Block("python", "print(1)\n", (0, 9)), draw=False)
    assert session.printed == "1\n"
    session.take(Block("sh", "sbatch job.sh\n", (0, 14), None, "needs Slurm"), draw=False)
    assert session.printed is None
