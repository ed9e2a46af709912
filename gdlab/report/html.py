"""A report as one HTML file that holds its pictures and asks the network for nothing.

It has no script but the viewer's, where it shows paths. All text is escaped, and a policy in the
page forbids what text could bring in.
"""

import re
from functools import singledispatch

from gdlab.console import plain_html
from gdlab.report.content import Block, Command, Document, Figure, Items, Paths, Table, Text
from gdlab.viewer import embedding

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5d6470; --line: #d9dde3;
  --page: #ffffff; --panel: #f5f6f8; --link: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #9aa3af; --line: #3a3f47;
  --page: #17191c; --panel: #202327; --link: #8ab4f8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; background: var(--page);
  color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; padding-top: .6rem;
  border-top: 1px solid var(--line); }
p.summary { font-size: 1.06rem; }
a { color: var(--link); }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: 1rem 0; font-size: .92rem; }
figure { margin: 1.2rem 0; }
figcaption, caption { text-align: left; color: var(--soft); font-size: .92rem; padding: .3rem 0; }
figure .picture { background: #ffffff; border: 1px solid var(--line); border-radius: 6px;
  padding: .4rem; overflow-x: auto; }
figure svg { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.scroll { overflow-x: auto; margin: 1.2rem 0; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .28rem .8rem .28rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; white-space: pre-wrap; }
th { border-bottom: 2px solid var(--line); font-weight: 600; white-space: nowrap; }
code, pre { font: .86rem/1.5 ui-monospace, monospace; }
pre { background: var(--panel); border-radius: 6px; padding: .6rem .8rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
details summary { cursor: pointer; color: var(--link); margin: .8rem 0; }
.viewer-place { margin: 1rem 0; }
.viewer-place .viewer { padding: 0; }
@media print { body { max-width: none; padding: 0; font-size: 11pt; } nav { display: none; }
  .viewer-place { display: none; }
  figure, tr { break-inside: avoid; } h2 { break-after: avoid; } }
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def html_of(document: Document) -> str:
    """Return a report as the text of an HTML file."""
    links, parts = [], []
    for number, section in enumerate(document.sections):
        name = plain_html(section.title)
        links.append(f'<a href="#s{number}">{name}</a>')
        blocks = "\n".join(map(_block, section.blocks))
        parts.append(f'<section><h2 id="s{number}">{name}</h2>\n{blocks}\n</section>')
    # The viewer's script is the last, when its places are there.
    policy, style, script = _POLICY, _STYLE, ""
    if document.has_paths:
        policy, style = embedding.policy(), f"{_STYLE}{embedding.style()}"
        script = f'<script type="module">{embedding.script()}</script>\n'
    body = f"""<h1>{plain_html(document.title)}</h1>
<p class="summary">{plain_html(document.summary)}</p>
<nav>{" ".join(links)}</nav>
{"".join(parts)}
{script}"""
    return embedding.html_document(body, title=document.title, policy=policy, style=style)


def _block(block: Block) -> str:
    return _html(block)


@singledispatch
def _html(block: Block) -> str:
    raise TypeError(f"no HTML for {type(block).__name__}")


@_html.register
def _(block: Text) -> str:
    return f"<p>{plain_html(block.text)}</p>"


@_html.register
def _(block: Items) -> str:
    return f"<ul>{''.join(f'<li>{plain_html(text)}</li>' for text in block.texts)}</ul>"


@_html.register
def _(block: Command) -> str:
    return f"<pre>{plain_html(block.line)}</pre>"


@_html.register
def _(block: Table) -> str:
    head = "".join(f'<th scope="col">{plain_html(title)}</th>' for title in block.columns)
    rows = ("".join(f"<td>{plain_html(cell)}</td>" for cell in row) for row in block.rows)
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    caption = plain_html(block.caption)
    table = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    shown = f'<div class="scroll"><table><caption>{caption}</caption>{table}</div>'
    shown += _reproduced(block.command)
    if not block.folded:
        return shown
    return f"<details><summary>{caption} ({len(block.rows)} rows)</summary>{shown}</details>"


@_html.register
def _(block: Paths) -> str:
    place = embedding.fragment(block.messages, name=block.name)
    return f"<p>{plain_html(block.caption)}</p>{place}"


@_html.register
def _(block: Figure) -> str:
    svg = block.svg.decode()
    svg = svg[svg.index("<svg") :]  # without the XML declaration and the document type
    svg = _with_own_names(re.sub(r"(?s)<!--.*?-->", "", svg), block.name)
    caption = plain_html(block.caption)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{caption}" ', 1)
    picture = f'<div class="picture">{svg}</div><figcaption>{caption}</figcaption>'
    return f"<figure>{picture}{_reproduced(block.command)}</figure>"


def _with_own_names(svg: str, name: str) -> str:
    """Give the parts of a picture names that no other picture of the page has."""
    prefix = re.sub(r"\W", "_", name)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', svg)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", svg)


def _reproduced(command: str) -> str:
    return f"<pre>{plain_html(command)}</pre>" if command else ""
