"""A source of Hydra's configurations that makes a choice of a class: `optimizer=my_module.Mine`.

The class itself is imported later, by what makes its instance; nothing is imported here.
"""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from gdlab.config.overrides import OPEN_GROUPS, names_class

CLASSES = "class"
"""What the entry of the source in the search path begins with."""


class ClassSource(ConfigSource):
    """Has a configuration for each dotted name of a class, in the groups that take custom ones."""

    @staticmethod
    def scheme() -> str:
        """Return what its entry in the search path begins with."""
        return CLASSES

    def available(self) -> bool:
        """Return true."""
        return True

    def load_config(self, config_path: str) -> ConfigResult:
        """Return the configuration of a choice such as `optimizer/my_module.Mine`."""
        name = config_path.rpartition("/")[2]
        config = OmegaConf.create({"_target_": name})
        return ConfigResult(f"{CLASSES}://", self.provider, config, {"package": None})

    def is_group(self, config_path: str) -> bool:
        """Return false: the folders of conf are the groups."""
        return False

    def is_config(self, config_path: str) -> bool:
        """Tell whether a path is a group with the name of a class."""
        group, _, name = config_path.rpartition("/")
        return group in OPEN_GROUPS and names_class(name)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return nothing: there is no end of classes."""
        return []


class ClassSearchPath(SearchPathPlugin):
    """Adds the source to the search path, behind all files."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the source."""
        search_path.append("gdlab", f"{CLASSES}://")
