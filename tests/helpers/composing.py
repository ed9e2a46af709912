"""Load only once what each command composes: the configurations of conf and of Hydra."""

import functools
from collections.abc import Callable
from copy import copy, deepcopy
from typing import Any

import hydra
from hydra._internal import defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser

from gdlab.paths import CONF

# No test writes there: what is loaded from these sources is the same each time.
_FIXED = ("pkg://hydra.conf", f"file://{CONF}", "structured://")


def load_each_configuration_once() -> None:
    """Remember what Hydra loads from sources that do not change, merged or not, and what it parses.

    That saves half of a command. What is remembered came from Hydra itself; errors do not come
    from memory, and who may change what is remembered gets a copy.
    """
    if not hydra.__version__.startswith("1.3."):
        return  # the few tests on the next Hydra need no speed
    replaced: list[tuple[Any, str, Callable[[Any], Any]]] = [
        (ConfigRepository, "load_config", _loading_once),
        (ConfigLoaderImpl, "_embed_result_config", _embedding_once),
        (ConfigLoaderImpl, "_compose_config_from_defaults_list", _merging_once),
        (OverridesParser, "parse_rule", _parsing_once),
        (defaults_list, "_create_interpolation_map", _where_interpolated),
    ]
    for place, name, remembering in replaced:
        setattr(place, name, remembering(getattr(place, name)))


_loaded: dict[tuple[str, str], Any] = {}


def _loading_once(load: Callable[..., Any]) -> Callable[..., Any]:
    def load_once(self: ConfigRepository, config_path: str) -> Any:
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        if source is None or source.full_path() not in _FIXED:
            return load(self, config_path)
        key = (source.full_path(), config_path)
        if key not in _loaded:
            _loaded[key] = load(self, config_path)
        return _loaded[key]

    return load_once


def _is_remembered(result: Any) -> bool:
    return any(result is each for each in _loaded.values())


def _merging_once(merge: Callable[..., Any]) -> Callable[..., Any]:
    """What a list of defaults gives, before overrides."""
    merged: dict[tuple[Any, ...], Any] = {}

    def merge_once(self: ConfigLoaderImpl, defaults: list[Any], repo: Any) -> Any:
        results = [repo.load_config(each.config_path) for each in defaults]
        if not all(map(_is_remembered, results)):
            return merge(self, defaults, repo)
        key = (*map(id, results), *(value for each in defaults for value in vars(each).values()))
        if key not in merged:
            merged[key] = merge(self, defaults, repo)
        return deepcopy(merged[key])

    return merge_once


def _embedding_once(embed: Callable[..., Any]) -> Any:
    """A configuration under its package; composing takes the nodes of what it gets."""
    embedded: dict[tuple[int, str | None], Any] = {}

    def embed_once(result: Any, package: str | None) -> Any:
        if not _is_remembered(result):
            return embed(result, package)
        key = (id(result), package)
        if key not in embedded:
            embedded[key] = embed(result, package)
        own = copy(embedded[key])
        own.config = deepcopy(own.config)
        return own

    return staticmethod(embed_once)


def _parsing_once(parse: Callable[..., Any]) -> Callable[..., Any]:
    remembered = functools.cache(lambda text, rule: parse(OverridesParser.create(), text, rule))
    return lambda self, s, rule_name: deepcopy(remembered(s, rule_name))


def _where_interpolated(create: Callable[..., Any]) -> Callable[..., Any]:
    """The choices that interpolations in a list of defaults refer to, of which most have none."""

    def create_if_needed(overrides: Any, defaults: Any, self_added: bool) -> Any:
        is_needed = any(each.is_interpolation() for each in defaults)
        return create(overrides, defaults, self_added) if is_needed else None

    return create_if_needed
