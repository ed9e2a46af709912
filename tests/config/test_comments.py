"""Comments of YAML files."""

from gdlab.config.comments import comments_of, first_comment

TEXT = """\
# @package _global_
# What it is. # really
defaults:
  - a: b
a: "# no" # of a
b:  # of b
  c: [1, 2]  # of c
  d: {e: 1}
f:
"""


def test_comments_stand_beside_their_keys(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text(TEXT)
    assert comments_of(path) == {"a": "of a", "b": "of b", "b.c": "of c"}
    assert first_comment(path) == "What it is. # really"
    path.write_text("")
    assert (comments_of(path), first_comment(path)) == ({}, "")
