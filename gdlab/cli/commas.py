"""A value with commas but no brackets: a list that lacks them, or several values of a sweep."""

import re
import shlex
import typing
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from gdlab.config.overrides import setting_name, split_at_commas
from gdlab.errors import SettingError

if TYPE_CHECKING:
    from gdlab.fields.declared import Configured

_DECIMAL = re.compile(r"[-+]?0,\d+")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3})+")


def refuse_bare_lists(words: Sequence[str], config: DictConfig) -> None:
    """Refuse the lists without brackets among the axes of a sweep.

    Args:
        words: the overrides with several values, as typed.
        config: the configuration composed without them.

    Raises:
        SettingError: a setting that takes lists, but no single values, lacks the brackets.
    """
    for key, value in map(_split, words):
        kinds = _kinds(config, key) if _is_bare(value) else ()
        if any(map(_is_list, kinds)) and not _may_be_each(kinds, value):
            raise SettingError(f"{key}={value}: {_need_brackets(key, value, kinds)}")


def several_values(word: str, config: DictConfig, *, can_sweep: bool) -> SettingError:
    """Return the error of an override with several values where there is no sweep.

    Args:
        word: the override, as typed.
        config: the configuration composed without it.
        can_sweep: whether the command has sweeps; else it is the report on derivatives.
    """
    key, value = _split(word)
    kinds = _kinds(config, key, can_sweep) if _is_bare(value) else ()
    is_list = any(map(_is_list, kinds))
    if is_list and not (can_sweep and _may_be_each(kinds, value)):
        return SettingError(f"{key}={value}: {_need_brackets(key, value, kinds)}")
    if not can_sweep:
        one = "must be one value; a report is on one point of one loss, without sweeps"
        return SettingError(f"{key}={value}: {one}")
    number = _one_number(value, kinds)
    a_number = f"; as one number it is {key}={number}" if number else ""
    a_list = f"; a list is {shlex.quote(f'{key}={_bracket(value, kinds)}')}" if is_list else ""
    sweep = f"has several values; add --multirun to sweep over them{a_number or a_list}"
    return SettingError(f"{key}={value}: {sweep}")


def _split(word: str) -> tuple[str, str]:
    key, _, value = word.partition("=")
    return setting_name(key), value


def _is_bare(value: str) -> bool:
    """Tell whether a value may be the items of a list; lists and mappings are values of a sweep."""
    return "," in value and not set("[]{}()").intersection(value)


def _kinds(config: DictConfig, key: str, can_sweep: bool = True) -> tuple[Any, ...]:
    """Return the types that a setting may have; none if it is chosen from a group or unknown."""
    from gdlab.config.settings import GROUPS
    from gdlab.fields.custom_classes import import_class

    node, _, name = key.rpartition(".")
    group = node.partition(".")[0]
    target = OmegaConf.select(config, f"{node}._target_") if group in GROUPS else None
    if target is None:
        return _declared_kinds(key, can_sweep)
    try:
        owner = import_class(f"{node}._target_", target, GROUPS[group], "a class of gdlab")
    except SettingError:
        return ()  # of a network, or of a class that is refused later
    return _kinds_in(owner, name)


def is_single(key: str) -> bool:
    """Tell whether a setting that no class of one's own has is a number or a word, and no list."""
    kinds = _declared_kinds(key)
    return bool(kinds) and {*kinds} <= {int, float, str, type(None)}


def _declared_kinds(key: str, can_sweep: bool = True) -> tuple[Any, ...]:
    """Return the types of a setting outside the groups; none if there is no such setting."""
    from gdlab.config.settings import GROUPS, NODES

    node, _, name = key.rpartition(".")
    owner = NODES.get(node) if node else _settings_class(can_sweep)
    return () if owner is None or key in (*GROUPS, *NODES) else _kinds_in(owner, name)


def _kinds_in(owner: "type[Configured]", name: str) -> tuple[Any, ...]:
    """Return the types that a field of a class may have; none if it has no such field."""
    from gdlab.fields.declared import declared_fields
    from gdlab.fields.validation import union_members

    field = declared_fields(owner).get(name)
    return () if field is None else union_members(field.hint)


def _settings_class(can_sweep: bool) -> "type[Configured]":
    from gdlab.config.settings import Settings
    from gdlab.derivatives.question import Question

    return Settings if can_sweep else Question


def _is_list(kind: Any) -> bool:
    return typing.get_origin(kind) is tuple


def _may_be_each(kinds: Sequence[Any], value: str) -> bool:
    """Tell whether each of several values could be one of a setting."""
    others = {kind for kind in kinds if not _is_list(kind)}
    texts = {str(arg) for kind in kinds for arg in typing.get_args(kind)}
    return bool(others & {float, int, str, bool}) or texts.issuperset(split_at_commas(value))


def _one_number(value: str, kinds: Sequence[Any]) -> str:
    """Return a number written with a decimal comma or with commas for thousands, without them."""
    if float in kinds and _DECIMAL.fullmatch(value):
        return value.replace(",", ".")
    return value.replace(",", "") if int in kinds and _THOUSANDS.fullmatch(value) else ""


def _need_brackets(key: str, value: str, kinds: Sequence[Any]) -> str:
    if all(":" in item for item in split_at_commas(value)):
        return f"values by name have braces: {shlex.quote(f'{key}={{{value}}}')}"
    return f"a list has square brackets: {shlex.quote(f'{key}={_bracket(value, kinds)}')}"


def _bracket(value: str, kinds: Sequence[Any]) -> str:
    """Put brackets around a list, and around its pairs where it has pairs."""
    items = list(split_at_commas(value))
    inner = next(typing.get_args(kind)[0] for kind in kinds if _is_list(kind))
    size = len(typing.get_args(inner)) if _is_list(inner) else 0
    if size and len(items) % size == 0:
        items = [f"[{','.join(part)}]" for part in _chunks(items, size)]
    return f"[{','.join(items)}]"


def _chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (items[first : first + size] for first in range(0, len(items), size))
