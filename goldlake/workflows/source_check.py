"""Whether a use case's source answers: its address, secret, proxy, and one page. Read-only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from urllib.parse import urlsplit

import msgspec
import requests.utils

from goldlake.workflows.trial import first_records
from goldlake_core.contracts.errors import GoldlakeError
from goldlake_core.contracts.fields import is_path
from goldlake_core.contracts.rules import OF_FILES
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.reports import Finding
from lakehouse.sources.files import files_of
from lakehouse.sources.rest import proxy_of

LOOKED_AT = 100
"""Records of the first page that are compared with the contract."""


def source_findings(usecase: UseCase) -> list[Finding]:
    """What is right and wrong with a source; the last is about its first records.

    Args:
        usecase: The use case whose own source is asked.
    """
    found = list(_files(usecase) if usecase.source.kind in OF_FILES else _address(usecase))
    if all(finding.is_ok for finding in found):
        found += _records(usecase)
    return found


def _files(usecase: UseCase) -> Iterator[Finding]:
    try:
        files = files_of(usecase)
    except GoldlakeError as error:
        yield _refused("Files", error)
        return
    names = ", ".join(file.name for file in files[:3]) + (", …" if len(files) > 3 else "")
    yield Finding("Files", True, f"{len(files)}: {names}", "")


def _address(usecase: UseCase) -> Iterator[Finding]:
    source, rest = usecase.source, usecase.source.rest
    host = urlsplit(source.address).hostname or ""
    yield Finding("Address", bool(host), source.address or "none", "http(s)://…", "source.address")
    if rest is not None and rest.auth is not None:
        is_set = bool(os.environ.get(rest.auth.env))
        text = f"{rest.auth.env} is {'set' if is_set else 'not set'}"
        fix = "" if is_set else f"export {rest.auth.env}=…"
        yield Finding("Secret", is_set, text, "the secret in the environment", fix)
    try:
        own = proxy_of(rest) if rest is not None else ""
    except GoldlakeError as error:
        yield _refused("Proxy", error)
        return
    used = own or requests.utils.select_proxy(
        source.address, requests.utils.get_environ_proxies(source.address)
    )
    # An address of the environment may hold a password.
    shown = urlsplit(used).hostname if used else None
    of = "of the contract" if own else "of the environment"
    yield Finding("Proxy", True, f"{shown} {of}" if shown else "none", "")


def _records(usecase: UseCase) -> Iterator[Finding]:
    try:
        records = list(islice(first_records(usecase), LOOKED_AT))
    except GoldlakeError as error:
        yield _refused("First page", error)
        return
    if not records:
        yield Finding("First page", True, "no records yet", "")
        return
    yield Finding("First page", True, f"{len(records)} records or more", "")
    names: set[str] = set()
    for record in records:
        try:
            names |= msgspec.json.decode(record, type=dict[str, msgspec.Raw]).keys()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    fields = [c.field for c in usecase.silver.columns if not c.field.startswith("$")]
    missing = [field for field in fields if not _is_there(field, fields, names)]
    text = f"{len(fields) - len(missing)} of {len(fields)} that the contract reads are there"
    if missing:
        text += f", not {', '.join(missing[:5])}"
    fix = f"goldlake check {usecase.name} --data" if missing else ""
    yield Finding("Fields", len(missing) < len(fields) or not fields, text, "some of them", fix)


def _is_there(field: str, fields: list[str], names: set[str]) -> bool:
    return field in names or (is_path(field, fields) and field.partition(".")[0] in names)


def _refused(name: str, error: GoldlakeError) -> Finding:
    return Finding(name, False, error.problem, error.valid or "an answer", error.hint or "")
