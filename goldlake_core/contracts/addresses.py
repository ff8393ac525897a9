"""Values of a contract that name a place on the network, or a secret of the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

import msgspec

from goldlake_core.contracts.yaml_entry import Entry

LOOPBACK = re.compile(r"localhost|127(\.\d+){3}|::1")
PATHS = "a path such as data/*.csv, or a URL of s3, gs, abfs, hdfs, https or http"
_PROTOCOLS = ("s3", "gs", "gcs", "abfs", "abfss", "az", "hdfs", "https", "http", "memory")
_IMAGE = re.compile(
    r"([A-Za-z0-9.-]+(:[0-9]{1,5})?/)?"
    r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_WAYS = "a text, or {env: NAME} for the value of an environment variable"


class Hidden(msgspec.Struct, frozen=True):
    """A text of the contract, or the name of the environment variable that holds it.

    Attributes:
        text: The text, or "" where a variable holds it.
        env: Name of the variable, or "" where the contract has the text.
    """

    text: str = ""
    env: str = ""


def address(entry: Entry) -> str:
    """An http or https URL without a user name and password.

    Raises:
        ContractError: It is something else.
    """
    text = entry.exact_text()
    parts = split(text)
    if parts is None:
        raise entry.error(f"{text!r} is not a web address", valid="http://… or https://…")
    if parts.username or parts.password:
        raise entry.error(
            "the address carries a user name or password",
            valid="an address without them; secrets belong into the environment",
        )
    return text


def path_problem(text: str) -> str:
    """Why a path or URL of files cannot be one that a use case names; "" where it can."""
    if not text:
        return "is empty"
    protocol, is_url, rest = text.partition("://")
    if not is_url:
        return "holds a line break" if "\n" in text else ""
    if protocol not in _PROTOCOLS or "::" in rest:
        return "is not a URL that a use case may name"
    if "@" in rest.partition("/")[0]:
        return "carries a user name or password; secrets belong into the environment"
    return ""


def image(entry: Entry) -> str:
    """The name of a container image, with a host, a tag or a digest, or without.

    Source: https://github.com/distribution/reference.

    Raises:
        ContractError: It is something else.
    """
    text = entry.exact_text()
    if not _IMAGE.fullmatch(text):
        raise entry.error(
            f"{text!r} is not the name of a container image",
            valid="such as registry.example.com/goldlake:1.0, without a user name or password",
        )
    return text


def place(entry: Entry) -> str:
    """A folder as another machine sees it: an absolute path, or a URL, without a slash at its end.

    Raises:
        ContractError: It is relative, carries a secret, or is a URL of something else.
    """
    text = entry.exact_text()
    problem = path_problem(text)
    if not problem and "://" not in text and not text.startswith("/"):
        problem = "is relative, and each container starts in another folder"
    if not problem and "://" in text and re.search(r"[?#]", text):
        problem = "has a query or a fragment, where secrets are often written"
    if problem:
        raise entry.error(
            f"{text!r} {problem}",
            valid="an absolute path such as /mnt/goldlake, or a URL such as gs://BUCKET/goldlake",
        )
    return text.rstrip("/") or "/"


def split(text: str) -> SplitResult | None:
    """The parts of an http or https URL, or None where the text is not one."""
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return None
    return parts if is_url and not re.search(r"\s", text) else None


def is_private(text: str) -> bool:
    """Whether nobody on the way can read what is sent there: https, or this machine."""
    parts = split(text)
    return parts is not None and (
        parts.scheme == "https" or LOOPBACK.fullmatch(parts.hostname or "") is not None
    )


def webhook(entry: Entry) -> Hidden:
    """A URL, or ``{env: NAME}``.

    Raises:
        ContractError: It is something else.
    """
    return _variable(entry) if entry.is_mapping else Hidden(text=address(entry))


def headers(entry: Entry) -> Mapping[str, Hidden]:
    """Header lines of a request: a text each, or ``{env: NAME}``.

    Raises:
        ContractError: A name or a value is something else.
    """
    found = {}
    for name, item in entry.members().items():
        if not _HEADER.fullmatch(name):
            raise item.error(f"{name!r} is not the name of a header", valid="such as Authorization")
        is_secret = name.lower() in ("authorization", "proxy-authorization", "cookie")
        if is_secret and not item.is_mapping:
            raise item.error(
                "the contract holds a secret",
                valid="{env: NAME}, the variable that holds it",
            )
        found[name] = _variable(item) if item.is_mapping else Hidden(text=item.text())
    return found


def _variable(entry: Entry) -> Hidden:
    members = entry.members()
    if set(members) != {"env"}:
        raise entry.error(f"expected {_WAYS}, got {entry.shape}", valid=_WAYS)
    name = members["env"].exact_text()
    if not _VARIABLE.fullmatch(name):
        raise members["env"].error(
            f"{name!r} is not the name of an environment variable", valid="letters, digits and _"
        )
    return Hidden(env=name)
