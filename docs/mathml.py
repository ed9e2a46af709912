"""Formulas as MathML, which browsers draw by themselves: no script, no font, no network."""

import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

# TeX reads \frac12 as 1/2, docutils reads 12 as one number.
_BARE_FRACTION = re.compile(r"frac\s*\d")
_LOG = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(_render(node))
    raise nodes.SkipNode


def _block(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math">{_render(node)}</div>\n')
    raise nodes.SkipNode


def _render(node: nodes.math | nodes.math_block) -> str:
    """Return a formula as MathML; one that docutils cannot read is a warning at its place."""
    formula = node.astext()
    if _BARE_FRACTION.search(formula):
        _LOG.warning("%s: write \\frac{1}{2}", formula, location=node)
    try:
        return tex2mathml(formula, as_block=isinstance(node, nodes.math_block))
    except MathError as error:
        _LOG.warning("%s: %s", formula, error, location=node)
        return ""
