"""Pages as tests read them: HTML as a tree, and a viewer or operator with cookies."""

from __future__ import annotations

import html.parser
import weakref
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import httpx

from tests.web import WebProcess

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class _Tree(html.parser.HTMLParser):
    """Builds a tree; complains about tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.builder, self.open = ET.TreeBuilder(), list[str]()
        self.builder.start("document", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.builder.start(tag, {name: value or "" for name, value in attrs})
        if tag in VOID:
            self.builder.end(tag)
        else:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.builder.start(tag, {name: value or "" for name, value in attrs})
        self.builder.end(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>, line {self.getpos()[0]}"
        self.builder.end(self.open.pop())

    def handle_data(self, data: str) -> None:
        self.builder.data(data)


def parse(text: str) -> ET.Element:
    """The page as a tree."""
    tree = _Tree()
    tree.feed(text)
    tree.close()
    assert not tree.open, f"not closed: {tree.open}"
    tree.builder.end("document")
    return tree.builder.close()


def words(element: ET.Element) -> str:
    """All text in it, with single spaces."""
    return " ".join("".join(element.itertext()).split())


def by_id(page: ET.Element, name: str) -> ET.Element:
    """The one element with that id."""
    [found] = page.iterfind(f".//*[@id='{name}']")
    return found


def with_class(page: ET.Element, name: str) -> Iterator[ET.Element]:
    """Elements of a class."""
    return (one for one in page.iter() if name in one.get("class", "").split())


def form(page: ET.Element, action: str, field: str = "") -> dict[str, str]:
    """The fields of the form that sends to `action` (and has that field), as it is sent without JavaScript."""
    forms = [one for one in page.iter("form") if one.get("action", "").partition("#")[0] == action]
    [found] = [one for one in forms if not field or one.find(f".//*[@name='{field}']") is not None]
    fields = {}
    for one in found.iter("input"):
        if one.get("name") and (one.get("type") not in ("checkbox", "radio") or "checked" in one.attrib):
            fields[one.get("name", "")] = one.get("value", "")
    for one in found.iter("select"):
        options = list(one.iter("option"))
        chosen = next((o for o in options if "selected" in o.attrib), options[0])
        fields[one.get("name", "")] = chosen.get("value", words(chosen))
    return fields


class Visitor:
    """A browser without JavaScript."""

    def __init__(self, web: WebProcess, key: str | None = None) -> None:
        self.http = httpx.Client(base_url=web.url, timeout=30.0, trust_env=False, follow_redirects=True)
        weakref.finalize(self, self.http.close)
        if key is not None:
            self.send("/sign-in", key=key, back="/about")

    def see(self, path: str, status: int = 200) -> ET.Element:
        """A page."""
        answer = self.http.get(path)
        assert answer.status_code == status, (path, answer.status_code, words(parse(answer.text))[-600:])
        return parse(answer.text)

    def send(self, path: str, status: int = 200, **fields: str) -> ET.Element:
        """Send a form, follow to the page that comes of it."""
        origin = str(self.http.base_url).rstrip("/")
        answer = self.http.post(path, data=fields, headers={"Origin": origin, "Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == status, (path, answer.status_code, words(parse(answer.text))[-600:])
        return parse(answer.text)
