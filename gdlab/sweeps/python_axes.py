"""The axes of a sweep from Python: which lists are several values of a setting, and which are one.

The declared type of a setting decides: `lr=[0.1, 0.2]` are two values, `start=[1, 2]` is one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from gdlab.config.loading import DEFAULT_CHOICES, resolve_choice, unfinished_choice
from gdlab.config.overrides import SHORTHANDS
from gdlab.config.python import FullNames
from gdlab.config.settings import GROUPS, NODES, TOP, Settings
from gdlab.config.ways import is_a
from gdlab.errors import CUSTOM_ERRORS, SettingError
from gdlab.fields.declared import Configured, declared_fields, find_field, nest_changes
from gdlab.fields.formatting import format_value
from gdlab.fields.validation import plain_point, plain_value
from gdlab.sweeps.grid import WRITTEN_OUT, Axis, Grid, product


def grid_of(given: Mapping[str, Any], zipped: Sequence[str] = ()) -> Grid:
    """Return the runs of a sweep from Python.

    Args:
        given: as for `axes_of`; a setting of a chosen loss, optimizer or schedule may be given by
            its own name.
        zipped: names of settings that vary together.

    Raises:
        SettingError: as for `axes_of`; a name is unknown or has two meanings; zipped settings
            differ in length, or there are too many runs.
    """
    given = {key: _with_instances(key, value) for key, value in given.items()}
    names = FullNames(TOP, lambda: {g: _chosen_owners(g, given, with_inner=False) for g in GROUPS})
    axes = axes_of(names.spell_out(given))
    keys = {axis.key: axis.key for axis in axes}
    keys |= {short: f"{short}.{item}" for short, item in SHORTHANDS.items()}
    together = [keys.get(name, name) for name in map(names.of, zipped)]
    return product(axes, together, "zip")


def _with_instances(key: str, value: Any) -> Any:
    """Replace the classes among losses, optimizers or schedules by instances."""
    if key not in GROUPS:
        return value
    items = [
        resolve_choice(key, item) if is_a(item, GROUPS[key]) else item for item in _items(value)
    ]
    return items if _is_list(value) else items[0]


def axes_of(given: Mapping[str, Any]) -> list[Axis]:
    """Return an axis for each setting that Python gives, of length 1 if it does not vary.

    Args:
        given: values, or lists, ranges, iterators, arrays, columns of pandas or tensors of values,
            by dotted names.

    Raises:
        SettingError: a list holds no values, or there is no such loss, optimizer or schedule.
    """
    chosen = {key: _to_python(key, value) for key, value in given.items() if key in GROUPS}
    plain = {
        key: chosen[key] if key in GROUPS else _to_python(key, _stand_in(key, value, chosen))
        for key, value in given.items()
    }
    return [_make_axis(key, value, plain) for key, value in plain.items()]


def _make_axis(key: str, value: Any, given: Mapping[str, Any]) -> Axis:
    items = _items(value, key)
    if key in SHORTHANDS and not any(isinstance(item, (Configured, Mapping)) for item in items):
        key = f"{key}.{SHORTHANDS[key]}"
    if _is_list(value) and _is_one_value(key, items, given):
        items = [tuple(items)]
    if not items:
        raise SettingError(f"{key}=[]: holds no values")
    values = [list(item) if isinstance(item, tuple) else item for item in items]
    if {*map(type, values)} <= {int, float}:
        return Axis.of_numbers(key, values)
    return Axis(key, values, _name_values(values))


def _stand_in(key: str, value: Any, chosen: Mapping[str, Any]) -> Any:
    """Return what Python's own objects stand for: one, or each of a list of several."""
    node, _, name = key.partition(".")
    if node not in GROUPS or isinstance(value, (str, int, float, Iterator)):
        return value
    for owner in _chosen_owners(node, chosen, with_inner=False):
        field = find_field(owner, name)
        if field is not None:
            whole = field.stand_in(key, value)
            several = _is_list(value) and whole is value
            value = [field.stand_in(key, item) for item in value] if several else whole
    return value


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple, range))


def _items(value: Any, key: str = "") -> list[Any]:
    """Return the items of a list, or the one value."""
    return [_to_python(key, item) for item in value] if _is_list(value) else [value]


def _to_python(key: str, value: Any) -> Any:
    """Return tensors, columns, iterators and paths as Python's lists, numbers and strings."""
    if key == "start" and hasattr(value, "to_dict") and value.ndim == 1:
        value = plain_point(key, value)
    return value.tolist() if isinstance(value, Tensor) else plain_value(key, value)


def _is_one_value(key: str, items: Sequence[Any], given: Mapping[str, Any]) -> bool:
    """Whether a list is one value of a setting, for all classes that have this setting."""
    answers = [is_value(items) for is_value in _acceptors(key, given)]
    return bool(answers) and all(answers)


def _acceptors(key: str, given: Mapping[str, Any]) -> Iterator[Callable[[Sequence[Any]], bool]]:
    """Yield for each class that has a setting the question whether a list is one value of it."""
    node, _, name = key.partition(".")
    if not name:
        field = declared_fields(Settings).get(key)
        if field is not None:
            yield field.takes_list
        return
    if node in GROUPS:
        owners = _chosen_owners(node, given, with_inner="." in name)
    else:
        owners = [NODES[node]()] if node in NODES else []
    for owner in owners:
        field = find_field(owner, name)
        if field is not None and field.hint is not Any:
            yield field.takes_list
        elif field is not None and "." in name:  # an argument of a class that is not gdlab's
            yield partial(_is_accepted, owner, name, _fixed_values(node, given))


def _chosen_owners(group: str, given: Mapping[str, Any], *, with_inner: bool) -> list[Configured]:
    """Return the losses, optimizers or schedules that a sweep chooses.

    Args:
        group: loss, optimizer or schedule.
        given: plain values by dotted names.
        with_inner: whether to put in the inner ones that are chosen too.
    """
    owners = [
        unfinished_choice(group, item) for item in _items(given.get(group, DEFAULT_CHOICES[group]))
    ]
    names = [key.partition(".")[2] for key in given if key.startswith(f"{group}.")]
    for name in sorted(names, key=lambda name: name.count(".")) if with_inner else ():
        choices = [c for c in _items(given[f"{group}.{name}"]) if isinstance(c, (str, Configured))]
        owners = [
            changed for owner in owners for changed in _with_inner(owner, name, group, choices)
        ]
    return owners


def _with_inner(
    owner: Configured, name: str, group: str, choices: Sequence[Any]
) -> Iterator[Configured]:
    """Yield an owner with each of the choices for an inner one; as it is if it has none."""
    field = find_field(owner, name)
    hint = None if field is None else field.hint
    if not (isinstance(hint, type) and issubclass(hint, GROUPS[group])):
        yield owner
        return
    for choice in choices:
        yield owner.unchecked(**nest_changes(owner, {name: resolve_choice(group, choice)}))


def _fixed_values(group: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a group that are given as one value, by their names in the group."""
    names = {key: key.partition(".")[2] for key in given if key.startswith(f"{group}.")}
    return {name: given[key] for key, name in names.items() if not _is_list(given[key])}


def _is_accepted(
    owner: Configured, name: str, others: Mapping[str, Any], items: Sequence[Any]
) -> bool:
    """Whether a class accepts a list as one argument, of which it declares no type.

    Args:
        owner: holds the class's arguments.
        name: of the argument in the owner.
        others: other settings of the owner by name, such as the class.
        items: of the list.
    """
    try:
        owner.replace(**nest_changes(owner, {**others, name: list(items)}))
    except CUSTOM_ERRORS:
        return False
    return True


def _name_values(values: Sequence[Any]) -> list[str]:
    """Return a string for each value; different objects of one name are numbered."""
    objects_by_name: dict[str, list[Any]] = {}
    texts = []
    for value in values:
        if isinstance(value, Configured):
            name = value.shown_name
        elif callable(value):
            name = getattr(value, "__name__", type(value).__name__)
        elif not isinstance(value, WRITTEN_OUT):
            name = format_value(value)
        else:
            texts.append(repr(value) if isinstance(value, float) else format_value(value))
            continue
        objects = objects_by_name.setdefault(name, [])
        if not any(value is known for known in objects):
            objects.append(value)
        number = next(i for i, known in enumerate(objects, 1) if value is known)
        texts.append(name if number == 1 else f"{name}-{number}")
    return texts
