"""The viewer with its messages as HTML that asks the network for nothing.

The modules of the page are joined into one script, each in a function of its own, in an order in
which none comes before what it imports. A policy allows this script by its hash, and no other.
"""

import base64
import hashlib
import itertools
import json
import re
from collections.abc import Mapping
from functools import cache
from graphlib import TopologicalSorter
from html import escape
from pathlib import Path

from gdlab.console import visible

PAGE = Path(__file__).parent / "page"
ENTRY = "embedded"

_IMPORT = re.compile(r'^import \{([^}]+)\} from "\./([a-z0-9]+)\.js";$', re.M)
_EXPORT = re.compile(r"^export (?=(?:async )?function (\w+)|const (\w+|\[.+?\]|\{.+?\}) =)", re.M)
_COMMENT = re.compile(r"^\s*//.*\n", re.M)


def html_page(messages: Mapping[str, bytes], *, title: str) -> str:
    """Return the text of an HTML file that shows messages in the viewer.

    Args:
        messages: by name, or by name and query as in "scene?problem=p1".
        title: of the page.
    """
    place = fragment(messages, name="messages")
    body = f'{place}\n<script type="module">{script()}</script>\n'
    return html_document(body, title=title, policy=policy(), style=style())


def html_document(body: str, *, title: str, policy: str, style: str) -> str:
    """Return the text of an HTML file that asks the network for nothing.

    Args:
        body: HTML, which ends in a line break.
        title: a text.
        policy: its content security policy.
        style: its styles.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(visible(title))}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
{body}</body>
</html>
"""


def fragment(messages: Mapping[str, bytes], *, name: str) -> str:
    """Return a place for the viewer in a page that holds `script` and `style` once.

    Args:
        messages: as of `html_page`.
        name: an HTML id that no other part of the page has.
    """
    texts = {key: base64.b64encode(message).decode() for key, message in messages.items()}
    # No text of JSON then ends the element.
    data = json.dumps(texts).replace("<", r"\u003c")
    return (
        f'<div class="viewer-place" data-messages="{name}"></div>\n'
        f'<script type="application/json" id="{name}">{data}</script>'
    )


def policy() -> str:
    """Return the content security policy of a page with `script`."""
    return (
        f"default-src 'none'; script-src {script_hash()}; style-src 'unsafe-inline'; img-src data:"
    )


def script_hash() -> str:
    """Return the hash by which a policy allows `script`."""
    digest = hashlib.sha256(script().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def style() -> str:
    """Return the styles of the page."""
    first = PAGE / "style.css"
    others = sorted(path for path in PAGE.glob("*.css") if path != first)
    return "\n".join(path.read_text("utf-8") for path in [first, *others])


@cache
def script() -> str:
    """Return the modules of the page as one script, which mounts the viewers of its page."""
    joined = f"{_joined_from(ENTRY)}\n${ENTRY}.mountEmbedded();"
    if "</script" in joined.lower() or "<!--" in joined:
        raise ValueError("a module of the page would end its script")
    return f"\n{joined}\n"


@cache
def module(entry: str, exported: str) -> str:
    """Return a module of the page, joined with all that it imports, as one module.

    Args:
        entry: the name of the module.
        exported: the one name of its exports that this one has.
    """
    return f"{_joined_from(entry)}\nexport const {{ {exported} }} = ${entry};\n"


def _joined_from(entry: str) -> str:
    """Return a module and all that it imports, each as a function that is called once."""
    texts = _reached(entry)
    imports = {name: {found for _, found in _IMPORT.findall(text)} for name, text in texts.items()}
    order = TopologicalSorter(imports).static_order()
    return "\n".join(f"const ${name} = (() => {{\n{_body(texts[name])}}})();" for name in order)


def _reached(entry: str) -> dict[str, str]:
    """Return the texts of a module and of all that it imports, by name."""
    texts: dict[str, str] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name in texts:
            continue
        texts[name] = (PAGE / f"{name}.js").read_text("utf-8")
        waiting += [module for _, module in _IMPORT.findall(texts[name])]
    return texts


def _body(text: str) -> str:
    """Return a module as the body of a function that returns what it exports."""
    names = list(itertools.chain(*(_names(*found) for found in _EXPORT.findall(text))))
    text = _IMPORT.sub(r"const {\1} = $\2;", text)
    text = _COMMENT.sub("", _EXPORT.sub("", text))
    if re.search(r"^(import|export)\b", text, re.M):
        raise ValueError(
            "a module of the page has an import or export of a form that cannot be joined"
        )
    return f"{text}return {{ {', '.join(names)} }};\n"


def _names(function: str, constant: str) -> list[str]:
    return [function] if function else re.findall(r"\w+", constant)
