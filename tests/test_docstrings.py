"""Every public name has an example in its docstring; pytest runs them with --doctest-modules."""

import inspect

import pytest

import gdlab

ALIASES = {"Number"}
"""Names of types, which have no docstring of their own."""


@pytest.mark.parametrize("name", sorted(set(gdlab.__all__) - ALIASES))
def test_a_public_name_has_an_example(name: str) -> None:
    documentation = inspect.getdoc(getattr(gdlab, name)) or ""
    assert ">>> " in documentation
