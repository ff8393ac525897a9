"""Asks a server about the rows of a file, in their order and with little in memory.

Neither TensorFlow nor Spark nor the libraries of tables are imported, unless a table is read or
written: one row is answered in a fraction of a second.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from goldlake.workflows.answer_files import VALUE
from goldlake.workflows.row_files import Format, RowFile
from goldlake_core.contracts.errors import GoldlakeError, InstanceError, UsageError
from serving import client
from serving.rows import Rows, in_batches

LABEL = "label"
"""Column that says which version answered, where a share of the rows goes to another one."""
OnProgress = Callable[[int, float | None], None]
"""Gets the number of answers so far and the part of the input that is read, 0 to 1, or None."""


@dataclass(frozen=True)
class Question:
    """What to ask, about which rows, and whom.

    Attributes:
        model: Such as ``city_bikes.is_late`` or ``…@7``.
        source: Path of the rows, or ``-`` for standard input.
        url: Base URL of the server.
        kind: Format of the rows; None takes it from the name.
        label: Ask the version with this label, or None.
        share: A part of the rows that another label answers, or None.
        keep: Columns of the rows that go into the answers. Those that are not inputs of the model
            are not sent.
        record_key: Column whose value goes into the server's request log, or None. The contract
            of the model names the header that carries it.
        signature_name: Name of the signature, or None for the default one.
        timeout_s: Seconds for one request with all its attempts.
        batch_rows: Most rows in a request.
        token_file: File of a bearer token to send, or None.
        ca_file: File of certificates to trust in place of the system's, or None.
    """

    model: str
    source: str = "-"
    url: str = "http://127.0.0.1:8501"
    kind: Format | None = None
    label: str | None = None
    share: client.Share | None = None
    keep: tuple[str, ...] = ()
    record_key: str | None = None
    signature_name: str | None = None
    timeout_s: float = client.TIMEOUT_S
    batch_rows: int = client.BATCH_ROWS
    token_file: str | None = None
    ca_file: str | None = None


def answers(
    question: Question, stream: BinaryIO, on_progress: OnProgress = lambda count, share: None
) -> Iterator[Any]:
    """Yields one answer per row, in their order.

    Args:
        question: What to ask. Rows of a model whose contract is found here are checked before they
            are sent, and what they leave out travels as the contract says; any other model gets the
            rows as they are.
        stream: The rows, where the source is ``-``.
        on_progress: Called after each answer.

    Yields:
        The value as the server answered it. With kept columns or a share it is an object: the
        columns, the outputs by name (`VALUE` for a single one), and with a share the `LABEL`.

    Raises:
        UsageError: The server has no such model, version or label; a row cannot be read.
        InstanceError: A row has a wrong name or type.
        ServerRefused: The server answered with another error.
        ServerUnreachable: There was no answer.
    """
    yield from _asked(
        question,
        lambda model: RowFile(question.source, stream, question.kind, model.input_types),
        on_progress,
    )


def answers_to(question: Question, rows: Rows) -> Iterator[Any]:
    """Yields one answer per row of this process, in their order.

    Args:
        question: What to ask; its source and format are not looked at.
        rows: Mappings or plain values, or a table of pyarrow, pandas or Polars.

    Yields:
        The values of `answers`, with its errors.
    """
    yield from _asked(question, lambda model: _Given(rows, model), lambda count, share: None)


class _Source(Protocol):
    """Rows, and what is known of where they are from."""

    def __iter__(self) -> Iterator[Any]: ...

    def place(self, index: int) -> str | None: ...

    def share(self) -> float | None: ...


class _Given:
    """Rows that the caller holds."""

    def __init__(self, rows: Rows, model: client.ModelClient) -> None:
        self._rows = rows
        self._whole = model.whole_inputs

    def __iter__(self) -> Iterator[Any]:
        for batch in in_batches(self._rows, client.BATCH_ROWS, self._whole):
            yield from batch

    def place(self, index: int) -> str | None:
        return None

    def share(self) -> float | None:
        return None


def _asked(
    question: Question,
    source: Callable[[client.ModelClient], _Source],
    on_progress: OnProgress,
) -> Iterator[Any]:
    name, version = _name_and_version(question)
    credentials = client.Credentials.of(question.token_file, question.ca_file)
    with client.connect(
        question.url,
        timeout_s=question.timeout_s,
        batch_rows=question.batch_rows,
        token=credentials.token,
        ca_file=credentials.ca_file,
    ) as server:
        model = server.model(
            name,
            version=version,
            label=question.label,
            signature_name=question.signature_name,
            share=question.share,
            record_key=_record_key(name, question.record_key),
        )
        rows = source(model)
        try:
            yield from _answered(question, model, rows, on_progress)
        except InstanceError as error:
            raise error.at(error.index, rows.place(error.index)) from error
        except client.ServerRefused as error:
            labels = (question.label, question.share.label if question.share else None)
            _refuse_unknown(server, question.url, name, version, labels, error)
            raise


def _answered(
    question: Question, model: client.ModelClient, rows: _Source, on_progress: OnProgress
) -> Iterator[Any]:
    kept: deque[dict[str, object]] = deque()
    inputs = {each.name for each in model.inputs or ()}
    taken = {column for column in question.keep if column not in inputs}

    def sent() -> Iterator[Any]:
        for row in rows:
            if not question.keep:
                yield row
                continue
            if not isinstance(row, dict):
                raise UsageError("A row without columns has none to keep", valid="JSON objects")
            if missing := [column for column in question.keep if column not in row]:
                raise UsageError(
                    f"{rows.place(len(kept)) or 'A row'} has no column {missing[0]!r} to keep",
                    valid=", ".join(map(str, row)),
                )
            kept.append({column: row[column] for column in question.keep})
            # A record key is taken out where it is read.
            yield {k: v for k, v in row.items() if k not in taken or k == question.record_key}

    for count, prediction in enumerate(model.stream(sent()), 1):
        record = prediction.value
        if question.keep or question.share is not None:
            record = _record(question, kept.popleft() if kept else {}, prediction)
        yield record
        on_progress(count, rows.share())


def _record(
    question: Question, kept: dict[str, object], prediction: client.Prediction
) -> dict[str, object]:
    value = prediction.value
    outputs = value if isinstance(value, dict) else {VALUE: value}
    labels = {} if question.share is None else {LABEL: prediction.label}
    if both := kept.keys() & {*outputs, *labels}:
        raise UsageError(
            f"The column {sorted(both)[0]!r} cannot be kept: the answer has one of that name",
            valid="columns of other names",
        )
    return {**kept, **outputs, **labels}


def _name_and_version(question: Question) -> tuple[str, int | None]:
    model = question.model
    name, at, number = model.partition("@")
    if at and not number.isdecimal():
        raise UsageError(f"{model!r} has no version {number!r}", valid="a whole number, 1 or more")
    if at and question.label is not None:
        raise UsageError(
            f"{model!r} names a version, and there is the label {question.label!r}",
            valid="one of both",
        )
    return name, int(number) if at else None


def _record_key(model: str, column: str | None) -> tuple[str, str] | None:
    """The header that carries the record key, and the column that has it."""
    if column is None:
        return None
    from goldlake_core.contracts.registry import load_model

    _, found = load_model(model)
    header = found.serving.record_key
    if header is None:
        raise UsageError(
            f"The contract of {model} names no header for record keys",
            valid="serving: {record_key: x-record-key} in the model's file",
        )
    return header, column


def _refuse_unknown(
    server: client.Client,
    url: str,
    name: str,
    version: int | None,
    labels: Sequence[str | None],
    error: client.ServerRefused,
) -> None:
    """Raises where the server refused a name that it does not serve, and returns otherwise."""
    from goldlake.workflows.names import contract_models, unknown

    here = _labels_here()
    try:
        states = server.states(name)
    except client.ServerRefused as refused:
        if refused.status != 404:
            return
        problem = f"{url} serves no model {name!r}"
        known = [*here, *contract_models()]
        raise unknown(problem, name, known, hint="goldlake models") from error
    served = [number for number, (state, _) in sorted(states.items()) if state == "AVAILABLE"]
    if version is not None and version not in served:
        problem = f"{url} serves no version {version} of {name}"
        known = [f"{name}@{number}" for number in served]
        raise unknown(problem, f"{name}@{version}", known, hint="goldlake models") from error
    for label in filter(None, labels):
        if label in error.text:
            problem = f"{url} serves no version of {name} with the label {label!r}"
            raise unknown(problem, label, here.get(name, ()), hint="goldlake models") from error


def _labels_here() -> Mapping[str, tuple[str, ...]]:
    """Labels by model of this folder's home; a server does not say which it has."""
    from goldlake.workflows import homes
    from serving import config

    with contextlib.suppress(GoldlakeError):
        found = config.read_or_empty(homes.choose().home.models_config)
        return {model.name: tuple(model.labels) for model in found.models}
    return {}
