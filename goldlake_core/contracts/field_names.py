"""Names of columns out of the names that a file has."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from goldlake_core.contracts.contract_file import CONTENT_COLUMN
from goldlake_core.contracts.names import MAX_NAME


def column_names(fields: Iterable[str]) -> dict[str, str]:
    """A column's name per field, each once."""
    names: dict[str, str] = {}
    taken = {CONTENT_COLUMN.name}
    for field in fields:
        base = name_of(field)
        name, number = base, 2
        while name in taken:
            ending = f"_{number}"
            name, number = base[: MAX_NAME - len(ending)] + ending, number + 1
        taken.add(name)
        names[field] = name
    return names


def name_of(field: str) -> str:
    """A field's name as goldlake writes names, such as ``monthly_charges``."""
    plain = unicodedata.normalize("NFKD", field.replace("ß", "ss"))
    ascii_only = plain.encode("ascii", "ignore").decode()
    # customerID and HTTPCode have words, too.
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", ascii_only)
    name = re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")
    if not name:
        return "column"
    # Room for "has_", the default presence flag of a column.
    name = (name if name[0].isalpha() else f"c_{name}")[: MAX_NAME - 8]
    return name.rstrip("_")
