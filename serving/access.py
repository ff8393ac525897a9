"""Who may ask this server: TLS and bearer tokens, for HTTP and gRPC alike."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field

from goldlake_core.contracts.errors import UsageError
from serving.health import HEALTHZ, READYZ
from serving.http1 import Answer, Headers, refusal

log = logging.getLogger("serving")
_CHALLENGE = ((b"www-authenticate", b"Bearer"),)
NEEDS_TOKEN = "A token is needed: Authorization: Bearer TOKEN"


@dataclass(frozen=True)
class Access:
    """What a client has to bring.

    Attributes:
        certificate: Chain in PEM, or b"" for no TLS.
        key: Its private key in PEM; never printed.
        context: The same for asyncio, or None for no TLS.
        tokens: Any of them opens the server; none for an open one. Never printed.
    """

    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)
    context: ssl.SSLContext | None = None
    tokens: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "https" if self.context is not None else "http"

    def is_open_to(self, authorization: bytes) -> bool:
        """Whether a value of ``Authorization`` opens the server.

        Args:
            authorization: Such as ``Bearer TOKEN``; b"" where there is none.
        """
        if not self.tokens:
            return True
        scheme, _, token = authorization.partition(b" ")
        # All are compared, each in constant time: the time tells nothing about a token.
        matches = [hmac.compare_digest(token.strip(), known) for known in self.tokens]
        return scheme.lower() == b"bearer" and any(matches)

    def refused(self, method: str, target: str, headers: Headers) -> Answer | None:
        """The refusal of a request before its body is read, or None.

        Preflight requests have no token, and who looks after the process needs none to see whether
        it is healthy.
        """
        if self.is_open_to(headers.get(b"authorization", b"")):
            return None
        if method == "OPTIONS" or target.partition("?")[0] in (HEALTHZ, READYZ):
            return None
        return refusal(401, NEEDS_TOKEN, _CHALLENGE)


def read_access(
    certificate_file: str | None, key_file: str | None, token_file: str | None
) -> Access:
    """Reads what a server asks of its clients.

    Args:
        certificate_file: Chain in PEM, or None for no TLS.
        key_file: Its private key in PEM without a passphrase, or None for no TLS.
        token_file: A token in each line, or None for an open server.

    Raises:
        UsageError: A file is missing or does not hold what it should, or one comes alone.
    """
    if (certificate_file is None) != (key_file is None):
        raise UsageError("TLS needs two files", valid="both --tls-cert and --tls-key, or none")
    tokens = _tokens(token_file) if token_file is not None else ()
    if certificate_file is None or key_file is None:
        return Access(tokens=tokens)
    certificate, key = _read(certificate_file), _read(key_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password it would ask for one at the terminal.
        context.load_cert_chain(certificate_file, key_file, password="")
    except (ssl.SSLError, ValueError) as error:
        raise UsageError(
            f"{certificate_file} and {key_file} cannot be used for TLS: {error}",
            valid="a certificate and its private key, in PEM, without a passphrase",
        ) from error
    return Access(certificate, key, context, tokens)


def warn_if_exposed(hosts: Iterable[str], access: Access) -> None:
    """Warns of what is missing where other machines reach the server.

    Args:
        hosts: Addresses that it listens at.
        access: What it asks of clients.
    """
    missing = [
        *(["TLS (--tls-cert, --tls-key)"] if access.context is None else []),
        *(["a token (--token-file)"] if not access.tokens else []),
    ]
    for host in hosts:
        if missing and not _is_loopback(host):
            log.warning(
                "Other machines reach this server at %s, without %s", host, " and ".join(missing)
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tokens(path: str) -> tuple[bytes, ...]:
    found = tuple(line.strip() for line in _read(path).splitlines() if line.strip())
    if not found or any(not token.isascii() or len(token.split()) > 1 for token in found):
        raise UsageError(f"{path} holds no token", valid="one or more lines with a token each")
    return found


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}", valid="a file of this machine"
        ) from error
