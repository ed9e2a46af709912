"""The JSON Schema of the configuration, by which editors complete and check it.

`python -m gdlab.config.schema > conf/schema.json` writes it anew.
"""

import json
import types
import typing
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

import yaml

from gdlab.config.comments import comments_of
from gdlab.config.overrides import SHORTHANDS
from gdlab.config.settings import COMMAND_FLAGS, COMMAND_KEYS, GROUPS, NODES, Settings
from gdlab.fields.custom_classes import import_class
from gdlab.fields.declared import Configured, Field, declared_fields
from gdlab.fields.suggestions import choices_of
from gdlab.fields.validation import union_members
from gdlab.paths import CONF

_TYPES = {float: "number", int: "integer", bool: "boolean", str: "string", type(None): "null"}
_LIMITS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
_MISSING = "???"  # OmegaConf's mark of a setting without a default
_INTERPOLATION = {"type": "string", "pattern": r"\$\{"}


def json_schema() -> dict[str, Any]:
    """Return the schema of `conf/config.yaml` and of experiments, with the comments of the file."""
    said = comments_of(CONF / "config.yaml")
    properties: dict[str, Any] = {}
    for name, field in declared_fields(Settings).items():
        if name in NODES:
            inner = declared_fields(NODES[name]).items()
            parts = {key: _field(f, said.get(f"{name}.{key}")) for key, f in inner}
            node = {"type": "object", "properties": parts, "additionalProperties": False}
            short = [parts[SHORTHANDS[name]]] if name in SHORTHANDS else []
            properties[name] = _described({"anyOf": [node, *short]}, said.get(name))
        elif name in GROUPS:
            properties[name] = _group(name)
        elif name != "choices":
            properties[name] = _field(field, said.get(name))
    for key in sorted(COMMAND_KEYS - {"experiment"}):
        kind = {"type": "boolean"} if key in COMMAND_FLAGS else {}
        properties[key] = _described(kind, said.get(key))
    of_hydra = "Hydra's own settings: directories, the sweeper, the launcher, logging"
    properties["defaults"] = {"type": "array"}
    properties["hydra"] = _described({"type": "object"}, of_hydra)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "gdlab",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _group(group: str) -> dict[str, Any]:
    """Return the schema of the settings of a group: those of all its choices, by their names.

    A setting that several choices have takes what any of them does, and has their most frequent
    comment. A class of the user's own may have others.
    """
    kinds: dict[str, list[Any]] = {}
    said: dict[str, Counter[str]] = {}
    for choice in choices_of(group):
        path = CONF / group / f"{choice}.yaml"
        target = yaml.safe_load(path.read_text("utf-8"))["_target_"]
        if target == _MISSING:
            continue
        comments = comments_of(path)
        cls = import_class(f"{group}._target_", target, GROUPS[group], "a class of gdlab")
        for name, field in declared_fields(cls).items():
            known = kinds.setdefault(name, [])
            known += [kind for kind in _kinds_of(field) if kind not in known]
            said.setdefault(name, Counter())
            if name in comments:
                said[name][comments[name]] += 1
    parts = {}
    for name, known in kinds.items():
        comment = next(iter(said[name].most_common(1)), (None, 0))[0]
        kind = {"anyOf": [*known, _INTERPOLATION]} if known else {}
        parts[name] = _described(kind, comment)
    return {"type": "object", "description": f"settings of the {group}", "properties": parts}


def _field(field: Field, comment: str | None) -> dict[str, Any]:
    """Return the schema of a declared field; an interpolation may stand for any value."""
    return _described({"anyOf": [*_kinds_of(field), _INTERPOLATION]}, comment)


def _kinds_of(field: Field) -> list[dict[str, Any]]:
    """Return the schemas of the types of a field, with its range."""
    limits = {
        word: getattr(field.range, name)
        for name, word in _LIMITS.items()
        if getattr(field.range, name) is not None
    }
    return [kind for hint in union_members(field.hint) for kind in _kinds(hint, limits)]


def _kinds(hint: Any, limits: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the schemas of a type; none for one that cannot be typed, such as a tensor."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return [{"enum": list(args)}]
    if origin is tuple:
        members = union_members(args[0])
        return [
            {"type": "array", "items": {"anyOf": [k for m in members for k in _kinds(m, limits)]}}
        ]
    if origin is Mapping:
        values = _kinds(args[1], limits)
        items = {"additionalProperties": {"anyOf": values}} if values else {}
        return [{"type": "object", **items}]
    if isinstance(hint, type) and issubclass(hint, Configured):  # an inner optimizer or schedule
        return [{"type": ["string", "object"]}]
    if origin in (typing.Union, types.UnionType):
        return [kind for arg in args for kind in _kinds(arg, limits)]
    if hint not in _TYPES:
        return []
    return [{"type": _TYPES[hint], **(limits if hint in (int, float) else {})}]


def _described(schema: dict[str, Any], comment: str | None) -> dict[str, Any]:
    return schema if comment is None else {**schema, "description": comment}


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=1, ensure_ascii=False))
