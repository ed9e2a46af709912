"""What is wrong with an override that Hydra's grammar does not allow, and how to write it."""

import re
import shlex

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from gdlab.cli.commas import is_single
from gdlab.config.overrides import quote_text, split_at_commas
from gdlab.fields.hints import number_meant
from gdlab.fields.suggestions import did_you_mean

_SWEEP = "choice(…) or range(…)"
_FUNCTIONS = {
    "choice": "choice(a,b) takes one value or more, but no null; null,b without choice is allowed",
    "range": "range(stop), range(start,stop) or range(start,stop,step) takes numbers",
    "interval": "interval(start,end) takes two numbers",
    "tag": f"tag(log,interval(1e-3,1)) takes names, and at the end interval(…), {_SWEEP}",
    "glob": "glob(a*) or glob([a*,b*],exclude=ab*) takes patterns of names",
    "shuffle": f"shuffle(a,b) takes values other than null, a list, {_SWEEP}, but no interval(…)",
    "sort": f"sort(a,b,reverse=true) takes values that have an order, a list, {_SWEEP}",
    "int": "int(a,b) takes numbers, a list or a sweep of numbers",
    "float": "float(a,b) takes numbers, a list or a sweep of numbers",
    "bool": f"bool(a,b) takes true, false or numbers, a list, {_SWEEP}",
    "str": f"str(a,b) takes values, a list, {_SWEEP}, but no interval(…)",
}
"""The functions of Hydra's grammar, with what they take."""

_ELSEWHERE = {
    "logspace": "tag(log,interval(1e-4,1)), and hydra.sweeper.points=20 for 20 values",
    "geomspace": "tag(log,interval(1e-4,1)), and hydra.sweeper.points=20 for 20 values",
    "linspace": "interval(0.1,1), and hydra.sweeper.points=20 for 20 values",
    "arange": "range(start,stop,step)",
    "log": "tag(log,interval(1e-4,1))",
    "loguniform": "tag(log,interval(1e-4,1)), and hydra/sweeper=random for random values",
    "uniform": "interval(0.1,1), and hydra/sweeper=random for random values",
}
"""Functions of other libraries, and how to write them."""

_OF_NUMPY = re.compile(r"(?:np|numpy|torch)\.(\w+)")
_CALL = re.compile(r"while evaluating '(\w+)")
_STRUCTURE = re.compile(rf"[\[{{(]|({'|'.join((*_FUNCTIONS, *_ELSEWHERE))})\s*\(")
_IN_QUOTES = re.compile(r"'[^']*'|\"[^\"]*\"")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_NAMED = re.compile(rf"([A-Za-z_]\w*)\s*[=:]\s*({_NUMBER.pattern})", re.ASCII)
_BRACKETS = {")": "(", "]": "[", "}": "{"}


def is_call(message: str) -> bool:
    """Tell whether it is a call of a function that Hydra's message is about."""
    return bool(_CALL.search(message))


def explain_value(key: str, value: str, message: str) -> str:
    """Say what is wrong with a value that cannot be parsed, or how to quote it.

    Args:
        key: of the setting.
        value: as typed.
        message: Hydra's.
    """
    quoted = f"with special characters, it needs quotes: {suggest_quotes(key, value)}"
    called = _CALL.search(message)
    if called and called[1] in _FUNCTIONS:
        return _FUNCTIONS[called[1]]
    if called:
        known = f"(functions: {', '.join(_FUNCTIONS)})"
        meant = _ELSEWHERE.get(called[1])
        if meant is not None:
            return f"there is no function {called[1]}; write {meant}"
        hint = did_you_mean(called[1], _FUNCTIONS)
        return f"there is no function {called[1]}{hint} {known}; as a text {quoted}"
    elsewhere = _OF_NUMPY.match(value)
    if elsewhere and elsewhere[1] in _ELSEWHERE:
        return f"there is no function {elsewhere[0]}; write {_ELSEWHERE[elsewhere[1]]}"
    number = number_meant(value)
    if number is not None and not value.endswith(","):
        return f"as a number it is written {key}={number:.6g}"
    listed = _list_of_numbers(value)
    if listed and is_single(key):
        several = f"{key}={listed[1].strip('[]')}"
        return f"several values have commas between: {several}; add --multirun to sweep over them"
    if listed:
        return f"{listed[0]}: {shlex.quote(f'{key}={listed[1]}')}"
    bare = re.sub(",+", ",", value.strip(","))
    if bare != value and bare and _can_parse(bare):
        return f"a comma has nothing beside it; without it: {shlex.quote(f'{key}={bare}')}"
    unpaired = _unpaired_bracket(value) if _STRUCTURE.match(value) else ""
    if unpaired:
        if unpaired in _BRACKETS:
            return f"the bracket {unpaired} is not opened"
        example = shlex.quote(f"{key}=[1, 2]")
        return f"the bracket {unpaired} is not closed; a value with blanks needs quotes: {example}"
    return f"as a text {quoted}"


def _list_of_numbers(value: str) -> tuple[str, str] | None:
    """Return how a list or a mapping of numbers is written, and it; None if it is neither."""
    inside = value[1:-1] if value[:1] + value[-1:] in ("()", "[]", "{}") else value
    items = [item.strip() for item in re.split(r"[,;]", inside)]
    named = [_NAMED.fullmatch(item) for item in items]
    if all(named):
        pairs = ",".join(f"{match[1]}:{match[2]}" for match in named if match)
        return "values by name have braces and colons", f"{{{pairs}}}"
    if (value[:1] + value[-1:] == "()") or (inside and all(map(_NUMBER.fullmatch, items))):
        return "a list has square brackets and commas", f"[{','.join(items)}]"
    return None


def suggest_quotes(key: str, value: str) -> str:
    """Return an override with quotes around the texts in a value that need them, for a shell.

    Args:
        key: of the setting.
        value: one text, several separated by commas, or a list.
    """
    is_list = value.startswith("[") and value.endswith("]")
    texts = split_at_commas(value[1:-1] if is_list else value)
    joined = ",".join(text if _can_parse(text) else quote_text(text) for text in texts)
    quoted = f"[{joined}]" if is_list else joined
    return shlex.quote(f"{key}={quoted if _can_parse(quoted) else quote_text(value)}")


def _can_parse(value: str) -> bool:
    """Tell whether Hydra's grammar allows a value."""
    try:
        OverridesParser.create().parse_overrides([f"key={value}"])
    except HydraException:
        return False
    return True


def _unpaired_bracket(text: str) -> str:
    """Return the first bracket outside of quotes that is not closed or not opened, if any."""
    opened = []
    for character in _IN_QUOTES.sub("", text):
        if character in _BRACKETS.values():
            opened.append(character)
        elif character in _BRACKETS and (not opened or opened.pop() != _BRACKETS[character]):
            return character
    return opened[-1] if opened else ""
