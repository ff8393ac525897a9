"""Reading an export: the manifest that names its rows, and the parts it lists. Read-only, no TFX.

An export is found by its id inside the home (``GOLDLAKE_HOME``), so that a pipeline definition
holds the id and the manifest's sha256, and no path.
"""

from __future__ import annotations

import hashlib
from typing import IO

from goldlake_core.contracts.errors import StoreError
from goldlake_core.contracts.sections import SPLITS
from goldlake_core.documents import codec
from goldlake_core.documents.export import ExportManifest, Part
from goldlake_core.storage.home import Home

_CHUNK_BYTES = 1 << 20


def export_uri(export_id: str, home: Home | None = None) -> str:
    """Folder of the export ``usecase/model/EXPORT`` inside the home.

    Raises:
        PermanentError: The id leads out of the home.
    """
    return (home or Home.at()).path("exports", export_id)


def read_manifest(
    export_id: str, manifest_sha256: str | None = None, home: Home | None = None
) -> tuple[ExportManifest, str]:
    """The manifest of an export and its sha256.

    Args:
        export_id: Id of the export, ``usecase/model/EXPORT``.
        manifest_sha256: What the sha256 must be, or None to accept what is there.
        home: Else the one at GOLDLAKE_HOME.

    Raises:
        StoreError: There is no such export, or its manifest is another one.
    """
    home = home or Home.at()
    file = home.path("exports", export_id, "manifest.json")
    try:
        data = home.fs.cat_file(file)
    except FileNotFoundError as error:
        raise StoreError(
            f"There is no export {export_id!r} in the home {home.root}", hint=_again(export_id)
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if manifest_sha256 is not None and found != manifest_sha256:
        raise StoreError(
            f"The manifest of export {export_id!r} has sha256 {found}, not {manifest_sha256}: "
            "it was changed after the export was made",
            hint=_again(export_id),
        )
    return codec.decode(data, ExportManifest, file), found


def verify_parts(export_id: str, manifest: ExportManifest, home: Home | None = None) -> int:
    """Compares every part's bytes with the manifest; returns the number of bytes read.

    Raises:
        StoreError: A part is missing or differs; names the part.
    """
    home = home or Home.at()
    total = 0
    for split in SPLITS:
        for part in manifest.splits[split].parts:
            digest = hashlib.sha256()
            try:
                with home.fs.open(home.path("exports", export_id, part.path), "rb") as file:
                    while chunk := file.read(_CHUNK_BYTES):
                        digest.update(chunk)
                        total += len(chunk)
            except FileNotFoundError as error:
                raise StoreError(
                    f"Export {export_id!r} lacks its part {part.path!r}", hint=_again(export_id)
                ) from error
            if digest.hexdigest() != part.sha256:
                raise StoreError(
                    f"Part {part.path!r} of export {export_id!r} has sha256 "
                    f"{digest.hexdigest()}, not the manifest's {part.sha256}",
                    hint=_again(export_id),
                )
    return total


def open_part(export_id: str, part: Part, home: Home | None = None) -> IO[bytes]:
    """One part as a binary file; the caller closes it."""
    home = home or Home.at()
    return home.fs.open(home.path("exports", export_id, part.path), "rb")


def _again(export_id: str) -> str:
    return f"goldlake export {'.'.join(export_id.split('/')[:2])} --verify"
