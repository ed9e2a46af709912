"""The comments of YAML files: what a setting means stands beside it, in `conf`."""

from collections.abc import Iterator
from pathlib import Path

import yaml


def comments_of(path: Path) -> dict[str, str]:
    """Return the comments of a file by the dotted names of the keys that they stand beside.

    A key without a comment is left out.

    Raises:
        yaml.YAMLError: the file is not YAML.
    """
    text = path.read_text("utf-8")
    return dict(_comments_in(yaml.compose(text, yaml.SafeLoader), text, ""))


def _comments_in(node: yaml.Node | None, text: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the dotted names of the keys in a mapping, each with its comment."""
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        is_block = isinstance(value, yaml.CollectionNode) and not value.flow_style
        end = (key if is_block else value).end_mark.index
        _, sign, comment = text[end:].partition("\n")[0].partition("#")
        if sign:
            yield name, comment.strip()
        yield from _comments_in(value, text, f"{name}.")


def first_comment(path: Path) -> str:
    """Return the first comment of a file that is no directive of Hydra; empty if there is none."""
    lines = path.read_text("utf-8", errors="replace").splitlines()
    comments = (line.strip("# ") for line in lines if line.startswith("#"))
    return next((comment for comment in comments if not comment.startswith("@")), "")
