"""The undocumented parts of Hydra that gdlab uses: each is there, and one module uses them."""

import ast
import importlib
import inspect
import re
from copy import deepcopy
from operator import attrgetter
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.object_type import ObjectType

import gdlab

PACKAGE = Path(gdlab.__file__).parent
THE_ONE = PACKAGE / "cli" / "hydra_internals.py"

# module, name in it, the arguments that gdlab passes, what gdlab needs it for
CALLED = [
    ("_internal.utils", "get_args_parser", [], "parse the command line as Hydra does"),
    ("_internal.utils", "create_config_search_path", ["search_path_dir"], "--config-dir"),
    ("_internal.config_loader_impl", "ConfigLoaderImpl", ["config_search_path"], "--config-dir"),
    ("_internal.config_repository", "ConfigRepository", ["config_search_path"], "compose faster"),
    (
        "_internal.hydra",
        "Hydra.compose_config",
        ["config_name", "overrides", "run_mode", "with_log_configuration"],
        "compose a sweep",
    ),
    ("_internal.callbacks", "Callbacks", ["config"], "call the callbacks of a configuration"),
    ("_internal.callbacks", "Callbacks.on_run_start", ["config"], "begin a run as Hydra does"),
    ("_internal.callbacks", "Callbacks.on_run_end", ["config"], "end a run as Hydra does"),
    ("_internal.callbacks", "Callbacks.on_multirun_start", ["config"], "begin a sweep"),
    ("_internal.callbacks", "Callbacks.on_multirun_end", ["config"], "end a sweep"),
    ("core.config_search_path", "SearchPathQuery", ["provider"], "--config-dir"),
    ("core.config_search_path", "ConfigSearchPath.prepend", [], "--config-dir"),
    ("core.global_hydra", "GlobalHydra.instance", [], "find the running Hydra"),
    ("core.hydra_config", "HydraConfig.set_config", ["cfg"], "resolve ${hydra:…}"),
    (
        "core.plugins",
        "Plugins.instantiate_sweeper",
        ["hydra_context", "task_function", "config"],
        "make the sweeper of a configuration",
    ),
    (
        "core.utils",
        "run_job",
        ["task_function", "config", "job_dir_key", "job_subdir_key", "hydra_context"],
        "write .hydra, set up logging and call the job",
    ),
    (
        "core.utils",
        "configure_log",
        ["log_config", "verbose_config"],
        "set up the logging of a sweep",
    ),
    ("core.utils", "env_override", ["env"], "let hydra.main raise its errors"),
    ("types", "HydraContext", ["config_loader", "callbacks"], "hand a sweep to its plugins"),
]


def missing(part: str, purpose: str) -> str:
    return f"hydra-core {hydra.__version__} has no hydra.{part}; gdlab needs it: {purpose}"


def find_part(module: str, name: str, purpose: str) -> Any:
    """The part of Hydra; the test fails with what it is needed for where there is none."""
    try:
        part = importlib.import_module(f"hydra.{module}")
    except ImportError:
        pytest.fail(missing(module, purpose))
    for attribute in name.split("."):
        if not hasattr(part, attribute):
            pytest.fail(missing(f"{module}.{name}", purpose))
        part = getattr(part, attribute)
    return part


@pytest.mark.parametrize(("module", "name", "arguments", "purpose"), CALLED)
def test_hydra_has_it_and_takes_the_arguments(module, name, arguments, purpose):
    parameters = inspect.signature(find_part(module, name, purpose)).parameters
    takes_any = any(p.kind == p.VAR_KEYWORD for p in parameters.values())
    for argument in arguments:
        assert takes_any or argument in parameters, missing(
            f"{module}.{name}({argument}=)", purpose
        )


def test_hydra_keeps_its_callbacks_in_a_list():
    callbacks = find_part("_internal.callbacks", "Callbacks", "gather a sweep's tables")()
    assert callbacks.callbacks == [], missing("_internal.callbacks.Callbacks().callbacks", "append")


def test_a_job_keeps_the_error_that_it_raised():
    job = find_part("core.utils", "JobReturn", "raise what a run raised")()
    assert hasattr(job, "_return_value"), missing("core.utils.JobReturn()._return_value", "raise")
    error = ValueError("said once")
    job.return_value = error
    assert job._return_value is error


def test_the_running_hydra_has_a_loader_that_can_be_replaced():
    from gdlab.cli.composition import hydra_ready
    from gdlab.cli.hydra_internals import config_loader

    with hydra_ready():
        before = config_loader()
        running = find_part("core.global_hydra", "GlobalHydra", "").instance().hydra
        running.config_loader = other = object()
        assert config_loader() is other
        running.config_loader = before


def test_a_loader_copies_no_source_and_lists_the_options_that_a_plain_one_lists():
    from gdlab.cli.composition import hydra_ready
    from gdlab.cli.hydra_internals import config_loader

    purpose = "compose without a copy of all sources"
    plain_loader = find_part("_internal.config_loader_impl", "ConfigLoaderImpl", purpose)
    with hydra_ready():
        loader: Any = config_loader()
        plain = plain_loader(loader.get_search_path())
        for part in ("repository", "repository.sources"):
            assert attrgetter(part)(plain), missing(f"ConfigLoaderImpl.{part}", purpose)
        sources, copies = (r.sources for r in (loader.repository, deepcopy(loader.repository)))
        assert list(map(id, copies)) == list(map(id, sources))
        for group in ("loss", "loss/mgh", "hydra/launcher", "lr"):
            for kind in (ObjectType.CONFIG, ObjectType.GROUP):
                wanted = plain.get_group_options(group, kind)
                assert loader.get_group_options(group, kind) == wanted
        assert "adam" in loader.get_group_options("optimizer", ObjectType.CONFIG)


@pytest.mark.parametrize(
    ("version", "arguments"),
    [
        ("1.3.8", {"version_base": "1.3"}),
        ("1.4.0rc3", {}),
        ("1.4.0.dev1", {}),
        ("1.5.2", {}),
        ("2.0", {}),
    ],
)
def test_the_version_of_the_defaults_is_named_only_below_1_4(version, arguments, monkeypatch):
    from gdlab.cli.hydra_internals import defaults_of_hydra

    monkeypatch.setattr(hydra, "__version__", version)
    assert defaults_of_hydra() == arguments


# What is undocumented: private modules and attributes, and the singletons that hold Hydra's state.
PRIVATE = re.compile(
    r"hydra\._|\bGlobalHydra\b|\bCallbacks\b|\bConfigLoaderImpl\b|\bget_args_parser\b|"
    r"\bcreate_config_search_path\b|\bHydraConfig\.instance\b|\binstantiate_sweeper\b|"
    r"\brun_job\b|\bconfigure_log\b|\benv_override\b|\bSearchPathQuery\b|\b_return_value\b|\bversion_base\b"
)
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != THE_ONE]


def code_of(path: Path) -> str:
    """A module's code without its comments and docstrings."""
    return ast.unparse(ast.parse(path.read_text(encoding="utf-8")))


def test_only_one_module_touches_what_hydra_does_not_document():
    private = {
        path.relative_to(PACKAGE).as_posix(): found
        for path in MODULES
        if PRIVATE.search(path.read_text("utf-8")) and (found := PRIVATE.findall(code_of(path)))
    }
    assert private == {}
    assert len(PRIVATE.findall(code_of(THE_ONE))) > 10


def test_each_private_module_that_is_imported_is_in_the_table():
    tree = ast.parse(THE_ONE.read_text(encoding="utf-8"))
    imported = {
        (node.module or "").removeprefix("hydra.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hydra._")
    }
    assert imported
    assert imported <= {module for module, *_ in CALLED}
