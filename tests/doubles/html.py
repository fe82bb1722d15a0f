"""A page as a reader finds it: elements, texts, addresses."""

import base64
import json
import re
import zlib
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

from backup_audit.page.page import page_pieces
from backup_audit.report.commit import StoredReport
from backup_audit.report.report import KeptObject
from tests.doubles.pages import objects_of

_RAW = ("script", "style")


def unpacked(block: bytes) -> bytes:
    """What a packed block says."""
    return zlib.decompress(base64.b64decode(block), zlib.MAX_WBITS | 16)


class Page(HTMLParser):
    """A page, parsed once. `elements` has tag and attributes of each, in their order.

    `text` is what a person reads, without style and scripts; `scripts` has the content of each.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.h1 = ""
        self._texts: list[str] = []
        self._in: str | None = None
        self.feed(html)
        self.close()
        self.text = " ".join("".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in (*_RAW, "h1", "title"):
            self._in = tag
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        self._texts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._in:
            self._in = None
        self._texts.append(" ")

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            attrs, before = self.scripts[-1]
            self.scripts[-1] = (attrs, before + data)
        elif self._in == "h1":
            self.h1 += data
        if self._in not in (*_RAW, "title"):
            self._texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each element of a kind."""
        return [attrs for name, attrs in self.elements if name == tag]

    def rows(self) -> list[str]:
        """The ids of the rows of problems that are there without a script."""
        return [one["id"] or "" for one in self.all("tr") if "id" in one]

    def section(self, name: str) -> str:
        """The source of a section, by its id; empty if it is not there."""
        found = re.search(rf'<section id="{name}".*?</section>', self.html, re.DOTALL)
        return found[0] if found else ""

    def data(self) -> Any:  # noqa: ANN401
        """What the script gets, packed or not."""
        [(attrs, text)] = [one for one in self.scripts if one[0].get("id") in ("data", "packed")]
        return json.loads(unpacked(text.encode()) if attrs["id"] == "packed" else text)


def page_of(report: StoredReport, objects: Sequence[KeptObject] | None = None) -> Page:
    """The page of a stored report."""
    pieces = page_pieces(report, objects_of(report) if objects is None else objects)
    return Page(b"".join(pieces).decode())
