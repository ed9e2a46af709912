"""Modules that are pickled by value while a sweep runs."""

import sys
from types import ModuleType

import cloudpickle
import pytest

from gdlab.sweeps.executors.by_value import by_value
from tests import conftest as theirs


def test_modules_go_by_value_until_the_last_sweep_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    alias = ModuleType("another_name")
    alias.__file__ = __file__
    monkeypatch.setitem(sys.modules, "alias", alias)  # cloudpickle refuses such a module
    first, second, registered = by_value(), by_value(), cloudpickle.list_registry_pickle_by_value
    own, before = {__name__, theirs.__name__}, registered()
    cloudpickle.register_pickle_by_value(theirs)
    for change in (first.__enter__, second.__enter__, lambda: first.__exit__(None, None, None)):
        change()
        assert own <= registered()
        assert not {"torch.ops", "alias", "gdlab"} & registered()
    second.__exit__(None, None, None)
    assert registered() == before | {theirs.__name__}
    cloudpickle.unregister_pickle_by_value(theirs)
