"""Documents: one record each, with what they say and the bytes that came."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest

from goldlake.workflows.trial import try_records
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.loader import load_contract
from goldlake_core.storage.home import Home
from lakehouse import specs
from lakehouse.sources import document_records
from lakehouse.sources.document_records import language_of, record
from lakehouse.sources.land import land
from tests.lakehouse.records import silent

CONTRACT = """\
name: letters
source: {kind: documents, path: inbox}
silver:
  key: [name]
  columns:
    name: {type: string, nullable: false}
    text: {type: string, nullable: false}
    title: string
    pages: long
    language: string
    problem: string
"""
GERMAN = "Sehr geehrte Damen und Herren, die Lieferung ist nicht vollständig angekommen."
HTML = """<!doctype html><html lang="fr-FR"><head><title> Une
 lettre </title><script>var x = "<p>no</p>";</script></head>
<body><h1>Bonjour</h1><p>Le colis n'est pas arriv&eacute;.<br>Merci</p></body></html>"""


def pdf(text: str, *, title: str = "", password: str = "") -> bytes:
    """A PDF file of two pages whose first has a text."""
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    page = writer.add_blank_page(300, 300)
    writer.add_blank_page(300, 300)
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    stream = DecodedStreamObject()
    stream.set_data(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode("latin-1"))
    page[NameObject("/Contents")] = writer._add_object(stream)
    if title:
        writer.add_metadata({"/Title": title})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def said(name: str, content: bytes, encoding: str = "utf-8") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(record(name, content, encoding))
    if len(content) <= document_records.MOST_BYTES:
        assert base64.b64decode(found.pop("bytes", "")) == content
    return {
        key: found[key] for key in ("text", "title", "pages", "language", "problem") if key in found
    }


def test_what_documents_say() -> None:
    assert said("a.txt", f"# Lieferung\n\n\n{GERMAN}\n".encode()) == {
        "text": f"# Lieferung\n{GERMAN}",
        "title": "Lieferung",
        "language": "de",
    }
    assert said("b.html", HTML.encode()) == {
        "text": "Bonjour\nLe colis n'est pas arrivé.\nMerci",
        "title": "Une lettre",
        "language": "fr",
    }
    assert said("c.pdf", pdf("The parcel has not arrived yet.", title="A letter")) == {
        "text": "The parcel has not arrived yet.",
        "title": "A letter",
        "pages": "2",
        "language": "en",
    }
    assert said("d.txt", GERMAN.encode("latin-1"), "latin-1")["text"] == GERMAN
    assert language_of("12 34") == ""


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.txt", b"", "it has no text"),
        ("a.txt", b"\xff\xfe\xff", "it is not text in utf-16"),
        ("a.txt", GERMAN.encode("latin-1"), "it is not text in utf-8"),
        ("a.html", b"<html><script>1</script></html>", "it has no text"),
        ("a.pdf", b"%PDF-1.4 and nothing else", "it is damaged: "),
        ("a.pdf", b"", "it is damaged: "),
    ],
)
def test_what_has_no_text_says_why(name: str, content: bytes, problem: str) -> None:
    found = said(name, content)
    assert "text" not in found
    assert found["problem"].startswith(problem)


def test_locked_and_large_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said("a.pdf", pdf("secret", password="x"))["problem"] == "it is encrypted"
    monkeypatch.setattr(document_records, "MOST_BYTES", 1 << 20)
    assert json.loads(record("a.txt", b"x" * ((1 << 20) + 1))) == {
        "name": "a.txt",
        "problem": "larger than 1 MiB",
    }


def test_documents_are_landed_once_and_typed(tmp_path: Path) -> None:
    folder, home = tmp_path / "letters", Home.at(tmp_path / "home")
    inbox = folder / "inbox"
    inbox.mkdir(parents=True)
    (folder / "contract.yaml").write_text(CONTRACT, encoding="utf-8")
    usecase = load_contract(folder)
    with pytest.raises(UsageError, match=r"There are no files at .*inbox"):
        try_records(usecase)
    (inbox / "a.txt").write_text(GERMAN, encoding="utf-8")
    (inbox / "b.html").write_text(HTML, encoding="utf-8")
    (inbox / "c.pdf").write_bytes(b"%PDF broken")
    (inbox / "notes.csv").write_text("no document", encoding="utf-8")
    trial, _ = try_records(usecase)
    assert (trial.records, trial.reasons) == (3, {"text.missing": 1})
    for run in ("one", "two"):
        land(usecase, home, "live", None, None, run, silent)
    (inbox / "a.txt").write_text(GERMAN + " Danke.", encoding="utf-8")
    land(usecase, home, "live", None, None, "three", silent)
    assert [page.rows for page in specs.landing(usecase, home).manifest()] == [1, 1, 1, 1]
