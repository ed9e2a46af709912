"""The blocks and pictures of a page, in order."""

from examples import Block, Picture, read_items


def test_items_of_a_page() -> None:
    page = 'a\n```sh\nls\n```\n![b](b.png)\n![c](c.png "runs/*/c.png")\n'
    assert read_items(page) == [Block("sh", "ls\n", (8, 11)), Picture("c.png", "runs/*/c.png")]
