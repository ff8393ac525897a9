"""The plug-in ``documents``: lands texts, HTML and PDF files, one record per document.

Which files there are, and which of them are new, is said by `lakehouse.sources.files`, and what a
record has by `lakehouse.sources.document_records`.
"""

from __future__ import annotations

from lakehouse.sources.base import SourceKind
from lakehouse.sources.files import FilesConnector

KIND = SourceKind(connector=FilesConnector, options={})
