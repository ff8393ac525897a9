"""What a document says: a text, an HTML page or a PDF file as one record.

A record has the bytes of the file in base64, so that bronze keeps what came, and beside them what
silver reads: its text, title, number of pages and language. A document without a text is a record
as well: its field ``problem`` says why, and a column of texts that is not nullable rejects it under
the reason code ``COLUMN.missing``.
"""

from __future__ import annotations

import base64
import codecs
import hashlib
import io
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import Any, NamedTuple

from lakehouse.sources.base import json_line

KINDS = (".txt", ".md", ".html", ".htm", ".pdf")
MOST_BYTES = 10 * 2**20
"""Largest document whose bytes are kept and read; of a larger one only its size is known."""
MOST_PAGES, MOST_CHARS = 2_000, 8 * 2**20
"""Pages of a PDF file that are read, and characters of a text that are kept."""
FEWEST_LETTERS = 20
"""Letters below which a text has no language."""
_BLANKS = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\n\s*\n+")
_SILENT = ("script", "style", "template", "noscript")
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "footer",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "td",
        "th",
        "title",
        "tr",
        "ul",
    ]
)


class Content(NamedTuple):
    """What a document says.

    Attributes:
        text: Its text, "" where it has none.
        title: Its title, or "".
        pages: Number of pages, or None where it is not divided into any.
        language: Language that the document states, or "".
        problem: Why there is no text, or "".
    """

    text: str
    title: str = ""
    pages: int | None = None
    language: str = ""
    problem: str = ""


def record(name: str, content: bytes, encoding: str = "utf-8") -> bytes:
    """The record of a document, one line of JSON.

    Args:
        name: Name of the file.
        content: Its bytes, at most one more than `MOST_BYTES`.
        encoding: Encoding of texts.
    """
    fields: dict[str, Any] = {"name": name}
    if len(content) > MOST_BYTES:
        return json_line({**fields, "problem": f"larger than {MOST_BYTES >> 20} MiB"})
    found = content_of(name, content, encoding)
    text = found.text[:MOST_CHARS]
    told = {
        "text": text,
        "title": found.title,
        "pages": None if found.pages is None else str(found.pages),
        "language": found.language or language_of(text),
        "problem": found.problem or ("" if text else "it has no text"),
        "size": str(len(content)),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": base64.b64encode(content).decode("ascii"),
    }
    return json_line({**fields, **{key: value for key, value in told.items() if value}})


def content_of(name: str, content: bytes, encoding: str = "utf-8") -> Content:
    """What a document says, by the ending of its name; never raises for what is in it."""
    ending = name.lower().removesuffix(".gz").removesuffix(".zip").rpartition(".")[2]
    read = _READERS.get(ending, _plain)
    return read(content, encoding)


def language_of(text: str) -> str:
    """The language of a text as ISO 639-1, or "" for one of fewer than 20 letters."""
    if sum(letter.isalpha() for letter in text[:1000]) < FEWEST_LETTERS:
        return ""
    import py3langid

    return str(py3langid.classify(text[:10_000])[0])


def _plain(content: bytes, encoding: str) -> Content:
    text, problem = _decoded(content, encoding)
    lines = [line.strip("# \t") for line in text.splitlines()]
    return Content(_tidy(text), next(filter(None, lines), "")[:200], problem=problem)


def _decoded(content: bytes, encoding: str) -> tuple[str, str]:
    for mark, name in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16")):
        if content.startswith(mark):
            encoding = name
    try:
        return content.decode(encoding), ""
    except UnicodeError:
        return "", f"it is not text in {encoding}"


def _tidy(text: str) -> str:
    """A text without blanks in a row, empty lines and characters that no text has."""
    text = "".join(letter for letter in text if letter in "\n\t" or letter.isprintable())
    return _LINES.sub("\n", _BLANKS.sub(" ", text)).strip()


class _Page(HTMLParser):
    """The text of an HTML page, its title and the language that it states."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.title = self.language = ""
        self._silent = 0
        self._is_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "html":
            self.language = (dict(attrs).get("lang") or "")[:2].lower()
        self._silent += tag in _SILENT
        self._is_title |= tag == "title"
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        self._is_title &= tag != "title"
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if self._is_title:
            self.title += data
        elif not self._silent:
            self.parts.append(data)


def _html(content: bytes, encoding: str) -> Content:
    stated = re.search(rb"<meta[^>]+charset=[\"']?([\w-]+)", content[:4096], re.IGNORECASE)
    if stated:
        name = stated[1].decode("ascii")
        encoding = name if _is_encoding(name) else encoding
    text, problem = _decoded(content, encoding)
    page = _Page()
    page.feed(text)
    page.close()
    title = " ".join(page.title.split())[:200]
    language = page.language if page.language.isalpha() else ""
    return Content(_tidy("".join(page.parts)), title, language=language, problem=problem)


def _is_encoding(name: str) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding  # type: ignore[attr-defined, no-any-return]
    except LookupError:
        return False


def _pdf(content: bytes, encoding: str) -> Content:
    from pypdf import PdfReader
    from pypdf.errors import FileNotDecryptedError

    try:
        reader = PdfReader(io.BytesIO(content), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            return Content("", problem="it is encrypted")
        pages = len(reader.pages)
        parts, size = [], 0
        for page in reader.pages[:MOST_PAGES]:
            parts.append(page.extract_text())
            size += len(parts[-1])
            if size > MOST_CHARS:
                break
        title = str((reader.metadata and reader.metadata.title) or "")[:200]
    except FileNotDecryptedError:
        return Content("", problem="it is encrypted")
    except Exception as error:  # pypdf raises anything on damaged files
        return Content("", problem=f"it is damaged: {type(error).__name__}")
    return Content(_tidy("\n".join(parts)), " ".join(title.split()), pages)


_READERS: Mapping[str, Callable[[bytes, str], Content]] = {
    "html": _html,
    "htm": _html,
    "pdf": _pdf,
}
