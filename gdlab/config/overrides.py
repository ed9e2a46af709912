"""The words of a command as a person types them, rewritten so that Hydra takes them as meant.

Hydra's grammar has no room for `x**2 + 3*x*y`, and Hydra adds no key that a node did not have
before: a formula gets quotes, a key of an open node the plus signs that ask for it.
"""

import re
from collections.abc import Iterator, Sequence

OPEN_GROUPS = ("loss", "optimizer", "schedule")
"""The groups of which a person may bring a class of their own."""

SHORTHANDS = {"noise": "scale"}
"""The settings in others that these may stand for: `noise=0.1` is `noise.scale=0.1`."""

_OPEN_NODES = ("loss.parameters.", "loss.parameters=", "loss.module.", "loss.data.")
_KWARGS = re.compile(r"optimizer(?:\.inner)*\.kwargs[.=]")
_INNER = re.compile(r"optimizer(?:\.inner)+|schedule(?:\.then)+")
_FORMULAS = ("loss.formula",)
_FORMULA_LISTS = ("path", "inner", "formulas")
_QUOTED = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*""", re.DOTALL)
_BEFORE_QUOTE = re.compile(r'(\\*)("|$)')


def to_hydra_overrides(overrides: Sequence[str]) -> list[str]:
    """Overrides as Hydra takes them; those it would take anyway are as they were.

    - What a setting is short for is written out.
    - A formula is quoted, each of several that commas divide; so is each of a list of formulas.
    - What an optimizer or a schedule holds, another one, is chosen from the same group.
    - The keys of an open node, and those of the node of a custom class, which has none beforehand,
      may be new.
    """
    chosen = (o.partition("=")[0] for o in overrides if o.endswith("=custom"))
    custom = tuple(f"{key}." for key in chosen if key in OPEN_GROUPS or _INNER.fullmatch(key))
    return [_opened(_quoted(_grouped(expand_shorthand(word))), custom) for word in overrides]


def setting_name(key: str) -> str:
    """The name of the setting of an override's key: without plus signs.

    Of one that chooses what another setting holds (`group@setting`) it is that setting's.
    """
    return key.lstrip("+").rpartition("@")[2]


def chosen_group(key: str) -> str | None:
    """The group that an override of a key chooses from, as what an optimizer holds; else None."""
    group, at, _ = key.lstrip("+~").partition("@")
    if at or "." not in group:
        return group
    return group.partition(".")[0] if _INNER.fullmatch(group) else None


def expand_shorthand(override: str) -> str:
    """An override of what stands for a setting in it, as one of that setting."""
    key, sign, value = override.partition("=")
    inner = SHORTHANDS.get(key.lstrip("+"))
    is_mapping = value.lstrip().startswith("{")
    return f"{key}.{inner}={value}" if inner and sign and not is_mapping else override


def _opened(override: str, custom: tuple[str, ...]) -> str:
    is_field = override.startswith(custom) and "._target_=" not in override
    is_open = is_field or override.startswith(_OPEN_NODES) or _KWARGS.match(override)
    return f"++{override}" if is_open else override


def _grouped(override: str) -> str:
    """An override that chooses what an optimizer or a schedule holds, as Hydra has it."""
    key, sign, _ = override.partition("=")
    is_inner = sign and _INNER.fullmatch(key)
    return f"{key.partition('.')[0]}@{override}" if is_inner else override


def _quoted(override: str) -> str:
    """An override of a formula or a list of some with quotes, unless it is null or nothing."""
    key, sign, value = override.partition("=")
    if not sign or value in ("", "null"):
        return override
    if key in _FORMULA_LISTS:
        is_list = value.startswith("[") and value.endswith("]")
        if not is_list:
            return f"{key}={_in_quotes(value)}"
        texts = _divided(value[1:-1]) if value[1:-1].strip() else ()
        return f"{key}=[{','.join(map(_in_quotes, texts))}]"
    if key.lstrip("+") not in _FORMULAS:
        return override
    return f"{key}={','.join(map(_in_quotes, _divided(value)))}"


def _in_quotes(text: str) -> str:
    """A text as Hydra's grammar quotes it, standing for itself: nothing in it is interpolated."""
    if _QUOTED.fullmatch(text):
        return text.strip()
    # Backslashes are themselves, but for those before a quote.
    escaped = _BEFORE_QUOTE.sub(lambda m: 2 * m[1] + m[2].replace('"', '\\"'), text.strip())
    return '"' + escaped.replace("${", "\\${") + '"'


def _divided(text: str) -> Iterator[str]:
    """The parts of a text between commas that stand in no brackets and no quotes."""
    depth, quote, first = 0, "", 0
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth = max(depth - 1, 0)
        elif character == "," and depth == 0:
            yield text[first:place]
            first = place + 1
    yield text[first:]
