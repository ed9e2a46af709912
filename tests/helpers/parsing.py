"""Parse once, and copy fast, what each command reads: the files of conf and of Hydra."""

import functools
from collections import defaultdict
from copy import deepcopy
from pickle import dumps, loads
from typing import Any

import omegaconf.base
import yaml
from omegaconf import _utils, grammar_parser


def parse_each_text_once() -> None:
    """Remember what the parsers of YAML and OmegaConf make of a text.

    That saves a sixth of a command. What is remembered came from the same parsers; errors do not
    come from memory, so each names the file that was read.
    """
    parse_yaml = yaml.load
    # A copy for each caller: pickle makes it five times faster than `deepcopy`.
    remembered = functools.cache(lambda *args: dumps(parse_yaml(*args)))

    def load(stream: Any, Loader: Any) -> Any:
        is_text = isinstance(stream, str | bytes)
        text = stream if is_text else stream.read()
        try:
            return loads(remembered(text, Loader))
        except yaml.YAMLError:
            if not is_text:
                stream.seek(0)
            return parse_yaml(stream, Loader)

    yaml.load = load
    # OmegaConf 2.3 makes a new class at each call.
    if hasattr(_utils, "get_yaml_loader"):
        _utils.get_yaml_loader = functools.cache(_utils.get_yaml_loader)
    parse = functools.cache(grammar_parser.parse)
    for module in (omegaconf.base, _utils):
        vars(module)["parse"] = parse


def copy_metadata_faster() -> None:
    """Copy the metadata of OmegaConf's nodes field by field: the fields but two cannot change.

    That saves an eighth of a command, in which Hydra copies some 700 nodes a dozen times.
    """

    def copied(self: Any, memo: dict[int, Any]) -> Any:
        own = object.__new__(type(self))
        cache = deepcopy(self.resolver_cache, memo) if self.resolver_cache else defaultdict(dict)
        own.__dict__.update(self.__dict__, flags=dict(self.flags or {}), resolver_cache=cache)
        return own

    metadata: Any = omegaconf.base.Metadata
    metadata.__deepcopy__ = copied
