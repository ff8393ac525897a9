"""Tells somebody of a run that failed or that a gate refused, as the contract's ``notify`` says.

The run's row of the history goes as JSON to a command's standard input, and to a webhook by POST.
A notification that fails is named and changes nothing else. Secrets come from the environment, and
no message shows them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator

from goldlake_core.contracts.addresses import Hidden, is_private, split
from goldlake_core.contracts.sections import Notify, UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.history import RunRow

RETRIED = {408, 425, 429, *range(500, 600)}
FIRST_PAUSE_S = 0.5
_TOLD_BYTES = 300


def notify(usecase: UseCase, row: RunRow) -> list[str]:
    """Sends the notifications of a run, if the contract names such an end.

    Args:
        usecase: The use case whose contract says who hears of it.
        row: The run as it ended.

    Returns:
        What went wrong, one sentence for each notification that failed.
    """
    told = usecase.notify
    status = "failed" if row.status == "killed" else row.status
    if told is None or status not in told.when:
        return []
    document = codec.encode_line(row)
    problems = [_run(told, usecase, document)] if told.command else []
    problems += [_post(told, told.webhook, document)] if told.webhook else []
    return [f"notify of {usecase.name}: {problem}" for problem in problems if problem]


def _run(told: Notify, usecase: UseCase, document: bytes) -> str:
    """Runs the command; returns what went wrong, or ""."""
    name = told.command[0]
    try:
        with _started(told, usecase) as process:
            _, said = process.communicate(document, told.timeout_s)
    except subprocess.TimeoutExpired:
        return f"{name} took longer than {told.timeout_s} s and was ended"
    except OSError as error:
        return f"{name} cannot be started: {error.strerror}"
    if process.returncode:
        text = said[-_TOLD_BYTES:].decode(errors="replace").strip()
        return f"{name} ended with exit status {process.returncode}" + (text and f": {text}")
    return ""


@contextlib.contextmanager
def _started(told: Notify, usecase: UseCase) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        told.command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=usecase.folder.resolve(),
        start_new_session=True,
    )
    try:
        yield process
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        for pipe in (process.stdin, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _post(told: Notify, webhook: Hidden, document: bytes) -> str:
    """Posts the document; returns what went wrong, or ""."""
    try:
        url = _value(webhook)
        headers = {name: _value(value) for name, value in told.headers.items()}
    except KeyError as error:
        return f"the environment variable {error.args[0]} is not set"
    parts = split(url)
    if parts is None:
        return f"the variable {webhook.env} does not hold a web address"
    place = f"{parts.scheme}://{parts.hostname}"
    if not told.plain_http and not is_private(url):
        return f"{place} is another machine without TLS, and plain_http is not set"
    problem = ""
    for attempt in range(told.attempts):
        if attempt:
            time.sleep(FIRST_PAUSE_S * 2 ** (attempt - 1))
        problem, is_final = _attempt(told, url, headers, document)
        if is_final:
            break
    return f"{place} {problem}" if problem else ""


def _attempt(told: Notify, url: str, headers: dict[str, str], document: bytes) -> tuple[str, bool]:
    """What went wrong, or "", and whether another attempt would be in vain."""
    import requests

    try:
        # Neither a redirect nor the file .netrc decides who gets which secret.
        with requests.post(
            url,
            data=document,
            headers={"Content-Type": "application/json", **headers},
            timeout=told.timeout_s,
            allow_redirects=False,
            auth=lambda request: request,
            stream=True,
        ) as answer:
            status = answer.status_code
    except (requests.RequestException, ValueError) as error:
        # The text of the error would show the address and what it carries.
        return f"was not reached ({type(error).__name__})", isinstance(error, ValueError)
    if 200 <= status < 300:
        return "", True
    redirect = "; redirects are not followed" if 300 <= status < 400 else ""
    return f"answered with status {status}{redirect}", status not in RETRIED


def _value(hidden: Hidden) -> str:
    """The text, from the environment where a variable holds it; raises KeyError without one."""
    return os.environ[hidden.env] if hidden.env else hidden.text
