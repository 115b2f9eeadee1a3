"""A report as a reader without a browser sees it, checked for all that must hold for every report."""

import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

from PIL import Image
from places import ROOT

from iwm_core.cli.main import dispatch, guarded

VOID = {"meta", "link", "img", "br", "hr", "input"}


def report(*words, out=None):
    """The page that a command line writes."""
    assert guarded(lambda: dispatch(["report", *map(str, words), *([f"out={out}"] if out else [])])) == 0
    path = Path(out) if out else Path(words[0]) / "report.html"
    return read(path.read_text(encoding="utf-8"))


class Page(HTMLParser):
    """A page as a reader without a browser sees it; a fault in its markup fails the test."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.texts, self.tables = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] in ("style", "script"):
            return
        self.texts.append(text)
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += text.strip() + " " * bool(text.strip())

    def each(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def row(self, start, table=None):
        """The first row that begins so."""
        rows = [r for t in self.tables for r in t] if table is None else self.tables[table]
        return next([cell.strip() for cell in r] for r in rows if r and r[0].strip().startswith(start))


def read(text):
    """A parsed page, checked for all that must hold for every report."""
    page = Page()
    page.feed(text.replace("<wbr>", ""))  # no space, but a place where a word may be broken
    page.close()
    page.source = text
    assert page.open == []
    check_alone(page)
    check_readable(page)
    return page


def check_alone(page):
    """It needs nothing else, and runs nothing but its own script, which a browser knows by its digest."""
    names = {tag for tag, _ in page.tags}
    assert not names & {"iframe", "object", "embed", "form", "base", "audio", "video"}
    assert page.each("script") == [{}]
    (script,) = re.findall("<script>(.*?)</script>", page.source, re.DOTALL)
    assert script == (ROOT / "plugins/iwm-report/iwm_report/templates/page.js").read_text(encoding="utf-8")
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), f"{tag} has {name}"
            if name in ("src", "href", "xlink:href", "srcset", "poster", "action", "data"):
                assert value.startswith(("data:", "#")), f"{tag} {name}={value[:60]}"
            else:
                assert not re.search(r"url\((?!#)", value or ""), f"{tag} {name}={value[:60]}"
    styles = page.source[page.source.index("<style>") : page.source.index("</style>")]
    assert not re.search(r"url\(|@import|@font-face", styles)
    assert page.source.count("<style") == 1
    assert "http:" not in re.sub(r"data:[^\"]*", "", page.source)
    assert "https:" not in re.sub(r"data:[^\"]*", "", page.source)
    policy = next(a["content"] for a in page.each("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.split(";")[0] == "default-src 'none'"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert [part.strip() for part in policy.split(";") if "script" in part] == [f"script-src 'sha256-{digest}'"]


def check_readable(page):
    """What assistive technology, a phone and a printer need."""
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for name in ("href", "clip-path", "aria-labelledby"):
            for target in re.findall(r"#([^)]+)", attributes.get(name) or "") + (
                [attributes[name]] if name == "aria-labelledby" and name in attributes else []
            ):
                assert target in ids
    assert page.each("html")[0]["lang"] == "en"
    assert any(a.get("name") == "viewport" for a in page.each("meta"))
    for image in page.each("img"):
        assert len(image["alt"]) > 3
        address = image["src"]
        kind, content = re.fullmatch(r"data:(image/[a-z+]+);base64,(.+)", address).groups()
        assert kind in ("image/png", "image/jpeg")
        Image.open(io.BytesIO(base64.b64decode(content))).load()
    for plot in [a for tag, a in page.tags if tag == "div" and a.get("class") == "plot"]:
        assert plot["role"] == "img"
        assert len(plot["aria-label"]) > 20
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), f"a level of headings is left out: {levels}"
    assert all(a.get("scope") for a in page.each("th"))
