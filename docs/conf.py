"""Sphinx builds the site from this folder: `make docs`, then open docs/_build/index.html."""

import re
import sys
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

from gdlab.version import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "gdlab"
author = "The gdlab developers"
copyright = "The gdlab developers"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 4
exclude_patterns = ["_build"]
smartquotes_action = "D"  # dashes; quotes are those of the shell

html_theme = "furo"
html_title = "gdlab"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_search_summary = False  # browsers fetch no page for it from file://
html_show_sphinx = False
html_extra_path = ["llms.txt"]
html_theme_options = {"source_directory": "docs/"}

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_member_order = "bysource"
_LEADERBOARD = re.compile(r"\(leaderboard\.md\)|^leaderboard$")
default_role = "code"  # `x` is code in docstrings, as it is in Markdown
napoleon_numpy_docstring = False
napoleon_use_ivar = True


def setup(app: Sphinx) -> None:
    """Write the pages that are made of conf and the docstrings before Sphinx looks for pages."""
    import generated

    app.add_lexer("csv", TextLexer)
    app.connect("builder-inited", lambda _: generated.write(HERE))
    app.connect("source-read", _link_experiments)
    app.connect("source-read", _leave_out_leaderboard)
    app.connect("autodoc-process-docstring", _keep_bars)


def _link_experiments(app: Sphinx, page: str, source: list[str]) -> None:
    """Let links to the files of experiments, as they are in the repository, lead to their pages."""
    links = re.sub(r"\((\.\./)+experiments/README\.md\)", r"(/experiments/index.md)", source[0])
    source[0] = re.sub(r"\((\.\./)+experiments/(\w+)/README\.md\)", r"(/experiments/\2.md)", links)


def _leave_out_leaderboard(app: Sphinx, page: str, source: list[str]) -> None:
    """Remove the lines that lead to the leaderboard where its data are missing."""
    lines, data = source[0].splitlines(keepends=True), HERE / "leaderboard"
    kept = [line for line in lines if not re.search(_LEADERBOARD, line)]
    if len(kept) < len(lines):
        app.env.note_dependency(str(data / "comparison.json"))  # read again where that comes
        source[0] = source[0] if data.is_dir() else "".join(kept)


def _keep_bars(app: Sphinx, what: str, name: str, it: Any, options: Any, lines: list[str]) -> None:
    """Let |x| outside of code be a magnitude, not a reference."""
    for place, line in enumerate(lines):
        parts = line.split("`")
        parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
        lines[place] = "`".join(parts)
