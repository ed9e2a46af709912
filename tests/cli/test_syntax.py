"""What is said about a value that Hydra's grammar does not allow."""

import shlex

import hypothesis
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hydra.errors import HydraException
from hypothesis import strategies as st

from gdlab.cli.syntax import explain_value, suggest_quotes
from gdlab.config.overrides import to_hydra_overrides

# an override, and what is said about it; the quotes that it needs, as bash takes them
VALUES = [
    ("hydra.run.dir=~/x", "as a text", """'hydra.run.dir="~/x"'"""),
    ("hydra.run.dir=runs/a=b", "as a text", """'hydra.run.dir="runs/a=b"'"""),
    ("hydra.sweep.dir=runs/ü", "as a text", """'hydra.sweep.dir="runs/ü"'"""),
    ("loss.data=it's", "as a text", """'loss.data="it'"'"'s"'"""),
    ("loss.data=a&b,c.csv", "as a text", """'loss.data="a&b",c.csv'"""),
    ("hydra.run.dir=~/${lr}", "as a text", """'hydra.run.dir="~/${lr}"'"""),
    ("loss.features=[a,é]", "as a text", """'loss.features=[a,"é"]'"""),
    ("loss.data=x(1).csv", "as a text", """'loss.data="x(1).csv"'"""),
    ("loss.data=a(b)", "there is no function a ", """'loss.data="a(b)"'"""),
    ("lr=intervall(1,2)", "no function intervall, did you mean interval?"),
    ("lr=foo(1,2)", "there is no function foo (functions: choice, range, interval, tag, "),
    ("lr=shuffle(foo(1))", "there is no function foo "),
    ("lr=choice(null,0.5)", "choice(a,b) takes one value or more, but no null"),
    ("lr=choice()", "choice(a,b) takes one value or more"),
    ("lr=range(0.1,abc)", "range(stop), range(start,stop) or range(start,stop,step) takes numbers"),
    ("lr=interval(0.1)", "interval(start,end) takes two numbers"),
    ("lr=interval(start=1,stop=2)", "interval(start,end) takes two numbers"),
    ("lr=tag(log,0.1)", "tag(log,interval(1e-3,1)) takes names, and at the end interval(…)"),
    ("optimizer=glob(1)", "glob(a*) or glob([a*,b*],exclude=ab*) takes patterns"),
    ("lr=shuffle(interval(0.1,0.2))", "shuffle(a,b) takes", "no interval(…)"),
    ("lr=sort(null,0.1)", "sort(a,b,reverse=true) takes values that have an order"),
    ("lr=int(abc)", "int(a,b) takes numbers"),
    ("lr=float(null)", "float(a,b) takes numbers"),
    ("lr=bool(3,x)", "bool(a,b) takes true, false or numbers"),
    ("lr=str(interval(1,2))", "str(a,b) takes", "no interval(…)"),
    ("start=[1,2", "the bracket [ is not closed"),
    ("start={a:[1,2}", "the bracket } is not opened"),
    ("lr=choice(0.1", "the bracket ( is not closed"),
    ('lr=choice(")",0.1', "the bracket ( is not closed"),
]


def message_about(override: str) -> str:
    with pytest.raises(HydraException) as error:
        OverridesParser.create().parse_overrides([override])
    return str(error.value)


@pytest.mark.parametrize("row", VALUES)
def test_a_value_that_cannot_be_parsed(row):
    override, *said = row
    key, _, value = override.partition("=")
    explained = explain_value(key, value, message_about(override))
    assert [text for text in said if text not in explained] == []


def text_of(override: str) -> object:
    (parsed,) = OverridesParser.create().parse_overrides(to_hydra_overrides([override]))
    value = parsed.value()
    return value.text if isinstance(value, QuotedString) else value


@hypothesis.settings(max_examples=12)
@hypothesis.given(st.text("aü~=/\\'\" $({[})]&!", min_size=1, max_size=6).map("x".__add__))
def test_the_suggestion_is_the_text(text):
    (override,) = shlex.split(suggest_quotes("key", text))
    assert text_of(override) == text.strip()
