"""The site as built: it needs no network, and its links of pages and pictures lead somewhere."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from helpers.files import ROOT

BUILT = ROOT / "docs" / "_build"
# What a browser fetches by itself, and links of anchors.
FETCHED = re.compile(r'<(?:script|img|iframe|source)\b[^>]*?\bsrc="([^"]*)"|url\(["\']?([^"\')]+)')
LINKED = re.compile(r'<(?:a|link)\b[^>]*?\bhref="([^"]*)"')
pytestmark = pytest.mark.site


def pages() -> list[Path]:
    found = sorted(BUILT.rglob("*.html"))
    assert found, "make docs"
    return found


def test_nothing_is_fetched_from_elsewhere() -> None:
    for path in [*pages(), *BUILT.rglob("*.css")]:
        text = path.read_text(encoding="utf-8")
        for found in FETCHED.findall(text):
            address = urlsplit("".join(found))
            assert address.scheme in ("", "data"), f"{path.name}: {address.geturl()}"
            assert not address.netloc, f"{path.name}: {address.geturl()}"


def test_links_lead_somewhere() -> None:
    for path in pages():
        for link in LINKED.findall(path.read_text(encoding="utf-8")):
            address = urlsplit(link)
            if address.scheme or address.netloc or not address.path:
                continue
            target = path.parent / unquote(address.path)
            assert target.exists(), f"{path.relative_to(BUILT)}: {link}"


def test_links_of_llms_txt_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (BUILT / "llms.txt").read_text(encoding="utf-8"))
    assert links
    assert all((BUILT / link).exists() for link in links)
