"""What a stage of the lakehouse made of what, and with which code, as ML Metadata records it."""

from __future__ import annotations

import msgspec

Value = int | str

PAGES, TABLE, EXPORT = "goldlake.LandedPages", "goldlake.TableVersion", "goldlake.Export"
"""Types of the artifacts of the lakehouse in ML Metadata."""
PREVIOUS = "previous"
"""Name of the input that is the version of a table before; what it holds is not followed."""


def export_name(export_id: str, manifest_sha256: str) -> str:
    """Name of an export in ML Metadata; one that is written again has another manifest."""
    return f"{export_id}/{manifest_sha256[:16]}"


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The code and the packages of a process; "" where it does not tell.

    Attributes:
        commit: Commit of the checkout that the code is in.
        code_sha256: Digest of the source files of goldlake's packages.
        lock_sha256: Digest of the lock file of the stack.
        packages_sha256: Digest of names and versions of all packages that are installed.
        stack: Version of TFX, which names the stack.
        python: Version of Python.
        platform: Kind of machine, such as ``Linux x86_64``.
    """

    commit: str = ""
    code_sha256: str = ""
    lock_sha256: str = ""
    packages_sha256: str = ""
    stack: str = ""
    python: str = ""
    platform: str = ""


class ArtifactFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact of the lakehouse.

    Attributes:
        type: Name of its type, such as ``goldlake.TableVersion``.
        name: Name that no other artifact of its type has.
        uri: Place of its payload, relative to the home.
        properties: What is known of it.
    """

    type: str
    name: str
    uri: str
    properties: dict[str, Value]


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact that went into an execution.

    Attributes:
        key: Name of the input, such as ``pages``.
        type: Name of the artifact's type.
        name: Name of the artifact.
    """

    key: str
    type: str
    name: str


class ExecutionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of a stage made.

    Attributes:
        type: Name of its type, such as ``goldlake.Refine``.
        name: Name that no other execution of its type has.
        run_id: The run of goldlake.
        properties: What is known of it.
        inputs: What it was made from; what is not on record is left out there.
        outputs: What it made, each under the name of the output.
    """

    type: str
    name: str
    run_id: str
    properties: dict[str, Value]
    inputs: tuple[Reference, ...]
    outputs: tuple[tuple[str, ArtifactFacts], ...]
