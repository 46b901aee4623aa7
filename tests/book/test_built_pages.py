"""The built pages: what they load is there, links lead somewhere, and the network stays silent."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from needs import BOOK as HTML


class Page(HTMLParser):
    """What a page loads, links to and can be linked at; its scripts; pictures that say nothing."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.scripts: list[str] = []
        self.mute: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self._script = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self._script = tag == "script"
        self.places |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag in ("script", "img", "iframe", "source", "video", "audio"):
            self.loads += [given[key] for key in ("src", "srcset") if given.get(key)]
        if tag == "link" and "canonical" not in (given.get("rel") or ""):
            self.loads.append(given.get("href") or "")
        if tag == "img" and not (given.get("alt") or "").strip():
            self.mute.append(given.get("src") or "?")

    def handle_endtag(self, tag):
        self._script = False

    def handle_data(self, data):
        if self._script:
            self.scripts.append(data)


def built_pages() -> list[Path]:
    pages = sorted(HTML.rglob("*.html"))
    pages = [p for p in pages if "_static" not in p.parts]
    if not pages:
        pytest.skip("the book is not built: make book")
    return pages


def test_built_pages_ask_nothing_of_the_network():
    outside = []
    for path in built_pages():
        page = Page(path.read_text(encoding="utf-8"))
        loads = [url for url in page.loads if re.match(r"(?:https?:)?//", url)]
        named = [
            url
            for script in page.scripts
            for url in re.findall(r"https?://[\w./-]+", script)
            if "www.w3.org" not in url  # the name of a namespace, never fetched
        ]
        outside += [f"{path.relative_to(HTML)}: {url}" for url in loads + named]
    assert outside == []


def test_built_style_sheets_ask_nothing_of_the_network():
    built_pages()
    found = []
    for sheet in HTML.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        hits = re.findall(r"(?:@import\s+|url\()[\"']?((?:https?:)?//[^\"')]+)", text)
        found += [f"{sheet.relative_to(HTML)}: {hit}" for hit in hits]
    assert found == []


def test_what_built_pages_load_is_there():
    gone = []
    for path in built_pages():
        for url in Page(path.read_text(encoding="utf-8")).loads:
            local = url.partition("?")[0].partition("#")[0]
            if not local or ":" in local or local.startswith("//"):
                continue
            if not (path.parent / local).exists():
                gone.append(f"{path.relative_to(HTML)}: {local}")
    assert gone == []
    assert (HTML / "_static/mathjax/tex-chtml.js").is_file()


def test_links_inside_the_book_lead_somewhere():
    """Every page, and every place in a page, that a link names."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in built_pages()}
    dead, followed = [], 0
    for path, page in pages.items():
        for link in page.links:
            name, _, place = unquote(link).partition("#")
            if ":" in name or name.startswith("//"):
                continue
            target = (path.parent / name).resolve() if name else path
            place = "lab" if place.startswith("lab:") else place  # a set-up of the lab on its page
            followed += 1
            known = pages[target].places if target in pages else None
            if not target.exists() or (place and known is not None and place not in known):
                dead.append(f"{path.relative_to(HTML.resolve())}: {link}")
    assert followed > 100
    assert dead == []


def test_every_picture_of_the_book_has_alt_text():
    mute = [
        f"{path.relative_to(HTML)}: {src}"
        for path in built_pages()
        for src in Page(path.read_text(encoding="utf-8")).mute
    ]
    assert mute == []
