"""Rewrite the overrides that a user types so that Hydra accepts them as meant.

Hydra's grammar does not allow `x**2 + 3*x*y`, and Hydra adds a key to a node only if it is marked
with plus signs: formulas are quoted, and keys of open nodes get the plus signs.
"""

import re
from collections.abc import Iterator, Sequence

OPEN_GROUPS = ("loss", "optimizer", "schedule")
"""The groups with a choice `custom`, for a class of the user's own."""

SHORTHANDS = {"noise": "scale"}
"""Sections that stand for one of their settings: `noise=0.1` means `noise.scale=0.1`."""

FAIL_ON = "fail_on"
"""The key of a command that says which endings of its runs are failures: a list of statuses."""

_CLASS = re.compile(r"([A-Za-z_]\w*\.)+[A-Z]\w*", re.ASCII)
_OPEN_NODES = (
    *("loss.parameters.", "loss.parameters="),
    *("loss.module.", "loss.data.", "loss.criterion."),
)
_KWARGS = re.compile(r"optimizer(?:\.inner)*\.kwargs[.=]")
_INNER = re.compile(r"optimizer(?:\.inner)+|schedule(?:\.then)+")
_FORMULAS = ("loss.formula",)
_LISTS = (FAIL_ON, "figures", "record.figures", "record.figure_size")
_FORMULA_LISTS = ("path", "inner", "formulas")
_POINTS = ("at", "start")
_QUOTED = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*""", re.DOTALL)
_BEFORE_QUOTE = re.compile(r'(\\*)("|$)')


def to_hydra_overrides(overrides: Sequence[str], others: Sequence[str] = ()) -> list[str]:
    """Rewrite overrides for Hydra; those that it accepts already are unchanged.

    - Shorthands are written out.
    - Formulas are quoted: one, several separated by commas, or each in a list or a mapping.
    - Lists that all runs share need no brackets: record.figures=png,svg.
    - The inner optimizer or schedule of another is chosen from the same group.
    - New keys are allowed in open nodes and in the node of a custom class, which starts empty.

    Args:
        overrides: as typed; each must be rewritten only once.
        others: further overrides of the same command, which may choose a custom class, as
            `loss=custom` or `loss=my_module.Mine`.
    """
    words = (*overrides, *others)
    pairs = [(setting_name(o.partition("=")[0]), o.partition("=")[2]) for o in words]
    chosen = (key for key, value in pairs if any(map(_is_custom, value.split(","))))
    custom = tuple(f"{key}." for key in chosen if key in OPEN_GROUPS or _INNER.fullmatch(key))
    return [_allow_new_key(_rewrite(o), custom) for o in overrides]


def _rewrite(override: str) -> str:
    return _bracket(_quote(_add_group(expand_shorthand(override))))


def _bracket(override: str) -> str:
    """Put the brackets around a list that were left out."""
    key, sign, value = override.partition("=")
    is_bare = sign and "," in value and not set("[]{}()'\"").intersection(value)
    return f"{key}=[{value}]" if key.lstrip("+") in _LISTS and is_bare else override


def _is_custom(value: str) -> bool:
    return value == "custom" or names_class(value)


def setting_name(key: str) -> str:
    """Return the name of the setting that an override's key sets, without plus signs.

    For a choice within another setting (`group@setting`), it is the name of that setting.
    """
    return key.lstrip("+").rpartition("@")[2]


def names_class(value: str) -> bool:
    """Return whether a value is the dotted name of a class, such as my_module.Mine."""
    return _CLASS.fullmatch(value) is not None


def chosen_group(key: str) -> str | None:
    """Return the group that an override with this key chooses from; None if it sets a value."""
    group, at, _ = key.lstrip("+~").partition("@")
    if at or "." not in group:
        return group
    return group.partition(".")[0] if _INNER.fullmatch(group) else None


def expand_shorthand(override: str) -> str:
    """Write out an override of a shorthand: `noise=0.1` becomes `noise.scale=0.1`."""
    key, sign, value = override.partition("=")
    inner = SHORTHANDS.get(key.lstrip("+"))
    is_mapping = value.lstrip().startswith("{")
    return f"{key}.{inner}={value}" if inner and sign and not is_mapping else override


def _allow_new_key(override: str, custom: tuple[str, ...]) -> str:
    """Mark the override of a key in an open node, so that the key may be new.

    Args:
        override: the override.
        custom: the prefixes of keys of custom classes, as "loss.".
    """
    is_field = override.startswith(custom) and "._target_=" not in override
    is_open = is_field or override.startswith(_OPEN_NODES) or _KWARGS.match(override)
    return f"++{override}" if is_open else override


def _add_group(override: str) -> str:
    """Write the choice of an inner optimizer or schedule with its group, as Hydra needs it."""
    key, sign, _ = override.partition("=")
    is_inner = sign and _INNER.fullmatch(key)
    return f"{key.partition('.')[0]}@{override}" if is_inner else override


def _quote(override: str) -> str:
    """Quote the formula, or each formula of the list, in an override; not null or nothing."""
    key, sign, value = override.partition("=")
    if not sign or value in ("", "null"):
        return override
    if key in _FORMULA_LISTS:
        return f"{key}={_quote_several(value)}"
    if key in _POINTS and _has_calls(value):
        return f"{key}={_quote_several(value)}"
    if key.lstrip("+") not in _FORMULAS:
        return override
    return f"{key}={','.join(map(_quote_formula, split_at_commas(value)))}"


def _has_calls(value: str) -> bool:
    """Tell whether a value is one list or mapping, with a function of Hydra's grammar or not."""
    is_one = len(list(split_at_commas(value))) == 1 and value[:1] + value[-1:] in ("[]", "{}")
    return is_one and "(" in value


def _quote_several(text: str) -> str:
    """Quote each formula of a list, or of a mapping from names such as {u: x+y, v: x-y}."""
    first, inside, last = text[:1], text[1:-1], text[-1:]
    if first + last not in ("[]", "{}"):
        return _quote_formula(text)
    items = [item.rpartition(":") for item in split_at_commas(inside)] if inside.strip() else []
    if first == "[":
        items = [("", "", "".join(item)) for item in items]
    return f"{first}{','.join(n + colon + _quote_formula(f) for n, colon, f in items)}{last}"


def _quote_formula(text: str) -> str:
    """Quote a formula for Hydra's grammar, literally: nothing in it is interpolated."""
    is_quoted = _QUOTED.fullmatch(text)
    return quote_text(text) if is_quoted else quote_text(text).replace("${", "\\${")


def quote_text(text: str) -> str:
    """Quote a text for Hydra's grammar, unless it is quoted."""
    if _QUOTED.fullmatch(text):
        return text.strip()
    # Backslashes are literal, except before a quote.
    escaped = _BEFORE_QUOTE.sub(lambda m: 2 * m[1] + m[2].replace('"', '\\"'), text.strip())
    return f'"{escaped}"'


def split_at_commas(text: str) -> Iterator[str]:
    """Yield the parts of a text between commas outside brackets and quotes."""
    depth, quote, first = 0, "", 0
    for position, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth = max(depth - 1, 0)
        elif character == "," and depth == 0:
            yield text[first:position]
            first = position + 1
    yield text[first:]
