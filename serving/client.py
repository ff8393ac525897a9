"""A client of TF Serving, by REST or gRPC: the embedded server or a real one.

For example::

    with connect("http://127.0.0.1:8501") as server:
        late = server.model("city_bikes.is_late", label="stable")
        late.predict([{"station": "MARKET", "tariff": "DAY", "hour": 20}])

A model whose contract is found here (a use case has its name) takes rows as the contract has them:
names and types are checked before anything is sent, and what a row leaves out travels as the
contract says. Any other model gets the rows as they are.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from goldlake_core.contracts.errors import InstanceError, UsageError
from goldlake_core.contracts.wire import RawInput, fill_nulls
from serving.calls import ATTEMPTS as ATTEMPTS
from serving.calls import TIMEOUT_S as TIMEOUT_S
from serving.calls import Asked, Transport, retried
from serving.calls import NotAvailable as NotAvailable
from serving.calls import ServerBusy as ServerBusy
from serving.calls import ServerRefused as ServerRefused
from serving.calls import ServerUnreachable as ServerUnreachable
from serving.documents import ModelMetadata
from serving.rows import Rows, in_batches

BATCH_ROWS = 256
IN_FLIGHT = 2
# Keys of the rows of one request travel in one header, which servers bound.
_KEYED_ROWS = 64


class Prediction(NamedTuple):
    """The answer to one row.

    Attributes:
        value: A plain value, or one per output by name.
        label: Label of the version that answered, or None where none was asked.
    """

    value: Any
    label: str | None


@dataclass(frozen=True)
class Share:
    """A part of the rows that another version answers.

    The content of a row decides, so that equal rows get the same version each time.

    Attributes:
        label: Label of that version, such as ``canary``.
        of_all: Share of the rows, above 0 and below 1.
    """

    label: str
    of_all: float

    def __post_init__(self) -> None:
        """Raises UsageError where the share is none."""
        if not 0 < self.of_all < 1:
            raise UsageError(
                f"{self.of_all:g} is not a share of rows", valid="a number above 0 and below 1"
            )

    def takes(self, row: object) -> bool:
        """Whether a row goes to that version."""
        text = json.dumps(row, sort_keys=True, default=repr).encode()
        digest = hashlib.blake2b(text, digest_size=8).digest()
        return int.from_bytes(digest, "big") < self.of_all * 2**64


@dataclass(frozen=True)
class Credentials:
    """What a protected server asks for, and how it is known.

    Attributes:
        token: Bearer token to send, or "". Never printed.
        ca_file: File of certificates to trust in place of the system's, or None.
    """

    token: str = field(default="", repr=False)
    ca_file: str | None = None

    @classmethod
    def of(cls, token_file: str | None, ca_file: str | None) -> Credentials:
        """The credentials whose token is in a file.

        Raises:
            UsageError: The file cannot be read, or does not hold a token.
        """
        if token_file is None:
            return cls(ca_file=ca_file)
        try:
            with open(token_file, encoding="ascii") as content:
                token = content.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            problem = getattr(error, "strerror", None) or "it is not ASCII"
            raise UsageError(f"The token file {token_file} cannot be read: {problem}") from error
        if not token or not token.isprintable() or " " in token:
            raise UsageError(f"{token_file} does not hold a token", valid="one line without spaces")
        return cls(token, ca_file)


NOBODY = Credentials()


def connect(
    url: str,
    *,
    timeout_s: float = TIMEOUT_S,
    attempts: int = ATTEMPTS,
    batch_rows: int = BATCH_ROWS,
    in_flight: int = IN_FLIGHT,
    token: str = "",
    ca_file: str | None = None,
) -> Client:
    """Returns a client of one server; nothing is sent before something is asked.

    Args:
        url: ``http://HOST:PORT`` or ``https://…`` for REST, ``grpc://HOST:PORT`` or ``grpcs://…``.
        timeout_s: Seconds for one request with all its attempts.
        attempts: How often a request is tried at most.
        batch_rows: Most rows in a request.
        in_flight: Most requests at the same time.
        token: Bearer token to send, or "".
        ca_file: File of certificates to trust in place of the system's, or None.

    Raises:
        UsageError: The URL cannot be asked.
    """
    transport: Transport
    if urlsplit(url).scheme in ("grpc", "grpcs"):
        from serving.grpc_client import GrpcTransport

        transport = GrpcTransport(url, token=token, ca_file=ca_file)
    else:
        from serving.rest_client import RestTransport

        transport = RestTransport(url, connections=in_flight, token=token, ca_file=ca_file)
    return Client(
        transport,
        timeout_s=timeout_s,
        attempts=attempts,
        batch_rows=batch_rows,
        in_flight=in_flight,
    )


class Client:
    """A server and how it is asked; `connect` makes one. Also a context that closes it.

    Args:
        transport: The way to the server.
        timeout_s: Seconds for one request with all its attempts.
        attempts: How often a request is tried at most.
        batch_rows: Most rows in a request.
        in_flight: Most requests at the same time.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        timeout_s: float,
        attempts: int,
        batch_rows: int,
        in_flight: int,
    ) -> None:
        if min(attempts, batch_rows, in_flight) < 1 or timeout_s <= 0:
            raise UsageError("A client without attempts, rows, requests or time asks nothing")
        self.transport = transport
        self.timeout_s = timeout_s
        self.attempts = attempts
        self.batch_rows = batch_rows
        self.in_flight = in_flight

    def model(
        self,
        name: str,
        *,
        version: int | None = None,
        label: str | None = None,
        signature_name: str | None = None,
        inputs: Sequence[RawInput] | None = None,
        share: Share | None = None,
        record_key: tuple[str, str] | None = None,
    ) -> ModelClient:
        """Returns a model of the server, to ask; nothing is sent.

        Args:
            name: Name that the model is served under.
            version: A version number; the newest available one without it.
            label: A version label, in place of ``version``.
            signature_name: None for the default one.
            inputs: The inputs of its contract; None looks for the contract by the name.
            share: A part of the rows that another version answers, or None.
            record_key: A header and the column whose value it carries for each row; the model does
                not get the column unless it is one of its inputs.
        """
        if inputs is None and signature_name in (None, "serving_default", "explain"):
            inputs = contract_inputs(name)
        return ModelClient(
            self, Asked(name, version, label, signature_name), inputs, share, record_key
        )

    def states(self, model: str) -> dict[int, tuple[str, str]]:
        """Returns state and error text of a model's versions.

        Raises:
            ServerRefused: With the server's text; status 404 for a model it does not know.
            ServerUnreachable: There was no answer.
        """
        return self.retried(lambda left_s: self.transport.states(model, left_s))

    def retried(self, call: Callable[[float], Any]) -> Any:
        """Returns what a call returns, within this client's time and attempts."""
        return retried(call, self.timeout_s, self.attempts)

    def close(self) -> None:
        """Closes every connection."""
        self.transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class ModelClient:
    """A model of a server; see `Client.model`, which makes one.

    Attributes:
        asked: Which version is asked.
        inputs: The inputs of its contract, or None where there is none.
    """

    def __init__(
        self,
        client: Client,
        asked: Asked,
        inputs: Sequence[RawInput] | None,
        share: Share | None,
        record_key: tuple[str, str] | None,
    ) -> None:
        self._client = client
        self.asked = asked
        self.inputs = None if inputs is None else tuple(inputs)
        self._share = share
        self._record_key = record_key

    def predict(self, rows: Rows) -> list[Any]:
        """Returns one answer per row, in their order.

        Args:
            rows: Mappings or plain values, or a table of pyarrow, pandas or Polars.

        Raises:
            InstanceError: A row has a wrong name or type; nothing of its request was sent.
            ServerRefused: The server answered with an error.
            ServerUnreachable: There was no answer.
        """
        return [prediction.value for prediction in self.stream(rows)]

    def input_types(self) -> dict[str, str]:
        """Returns TensorFlow's type of each input, by the contract or else by the server.

        Raises:
            ServerRefused: The server has no such version, or that has no such signature.
            ServerUnreachable: There was no answer.
        """
        if self.inputs is not None:
            return {each.name: each.dtype.replace("float32", "float") for each in self.inputs}
        ask = self._client.transport.inputs
        specs = self._client.retried(lambda left_s: ask(self.asked, left_s))
        return {spec.name: spec.dtype for spec in specs}

    @property
    def whole_inputs(self) -> frozenset[str]:
        """Inputs that take whole numbers, by the contract."""
        return frozenset(each.name for each in self.inputs or () if each.dtype == "int64")

    def stream(self, rows: Rows) -> Iterator[Prediction]:
        """Yields the answers in the order of the rows, and holds a few requests of them at most.

        Arguments and errors are those of `predict`; what was asked before an error is answered
        first.
        """
        size = self._client.batch_rows
        if self._record_key is not None:
            size = min(size, _KEYED_ROWS)
        batches = self._checked(in_batches(rows, size, self.whole_inputs))
        first, second = next(batches, None), next(batches, None)
        if first is None:
            return
        if second is None:
            yield from self._asked(first)
            return
        yield from self._at_once(first, second, batches)

    def _at_once(
        self, first: _Batch, second: _Batch, others: Iterator[_Batch]
    ) -> Iterator[Prediction]:
        from collections import deque
        from concurrent.futures import Future, ThreadPoolExecutor
        from itertools import chain

        executor = ThreadPoolExecutor(self._client.in_flight, "serving-client")
        pending: deque[Future[list[Prediction]]] = deque()
        try:
            for batch in chain((first, second), others):
                if isinstance(batch, InstanceError):
                    while pending:
                        yield from pending.popleft().result()
                    raise batch
                pending.append(executor.submit(self._asked, batch))
                if len(pending) > self._client.in_flight:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def _checked(self, batches: Iterator[list[Any]]) -> Iterator[_Batch]:
        """Batches as they are sent; an error in place of the one that does not fit."""
        done = 0
        for rows in batches:
            keys: list[str] = []
            try:
                if self._record_key is not None:
                    rows, keys = self._keyed(rows)
                if self.inputs is not None:
                    rows = fill_nulls(self.inputs, rows)
            except InstanceError as error:
                yield error.at(done + error.index)
                return
            yield _Rows(done, rows, keys)
            done += len(rows)

    def _keyed(self, rows: list[Any]) -> tuple[list[Any], list[str]]:
        assert self._record_key is not None
        column = self._record_key[1]
        is_input = column in {each.name for each in self.inputs or ()}
        keys = []
        for index, row in enumerate(rows):
            if not isinstance(row, Mapping) or row.get(column) in (None, ""):
                raise InstanceError("the record key is missing", index=index, key=column)
            keys.append(str(row[column]))
        if is_input:
            return rows, keys
        return [{k: v for k, v in row.items() if k != column} for row in rows], keys

    def _asked(self, batch: _Batch) -> list[Prediction]:
        if isinstance(batch, InstanceError):
            raise batch
        label = self.asked.label
        if self._share is None:
            return [Prediction(value, label) for value in self._answers(batch, self.asked)]
        other = replace(self.asked, version=None, label=self._share.label)
        is_other = [self._share.takes(row) for row in batch.rows]
        parts = {
            flag: iter(self._answers(batch.only(is_other, flag), asked))
            for flag, asked in ((False, self.asked), (True, other))
        }
        return [Prediction(next(parts[f]), other.label if f else label) for f in is_other]

    def _answers(self, batch: _Rows, asked: Asked) -> list[Any]:
        if not batch.rows:
            return []
        if self._record_key is not None:
            keys = batch.keys
            value = keys[0] if len(keys) == 1 else json.dumps(keys)
            asked = replace(asked, headers={self._record_key[0]: value})
        call = self._client.transport.predict
        try:
            return list(self._client.retried(lambda left_s: call(asked, batch.rows, left_s)))
        except InstanceError as error:
            raise error.at(batch.start + error.index) from error


@dataclass(frozen=True)
class _Rows:
    """Rows of one request.

    Attributes:
        start: Place of the first one among all rows.
        rows: What is sent.
        keys: A record key per row, or none.
    """

    start: int
    rows: Sequence[Any]
    keys: Sequence[str]

    def only(self, flags: Sequence[bool], kept: bool) -> _Rows:
        """The rows whose flag is the one that is kept."""
        places = [place for place, flag in enumerate(flags) if flag is kept]
        keys = [self.keys[place] for place in places] if self.keys else []
        return _Rows(self.start, [self.rows[place] for place in places], keys)


_Batch = _Rows | InstanceError


def contract_inputs(model: str) -> tuple[RawInput, ...] | None:
    """Returns the inputs of a model by its contract, or None where no use case here has it.

    Args:
        model: Such as ``city_bikes.is_late``.

    Raises:
        ContractError: The use case is here and its contract does not hold.
    """
    from goldlake_core.contracts.registry import load_model
    from goldlake_core.contracts.wire import raw_inputs

    try:
        usecase, found = load_model(model)
    except UsageError:
        return None
    return raw_inputs(found, usecase.gold[found.table])


def predict(
    url: str,
    model: str,
    instances: Sequence[Any],
    signature_name: str | None = None,
    version: int | None = None,
    label: str | None = None,
    timeout_s: float = TIMEOUT_S,
) -> list[Any]:
    """What a model answers to one request, one prediction per instance (row format), by REST.

    Args:
        url: The server, such as ``http://127.0.0.1:8501``.
        model: Name that the model is served under.
        instances: Plain values, or mappings with every input of the signature; NaN is sent as the
            bare token, bytes as ``{"b64": …}``.
        signature_name: None for the default one.
        version: A version number; the newest available one without it.
        label: A version label, in place of ``version``.
        timeout_s: For the connection and the answer together.

    Raises:
        ServerRefused: With the server's text.
        ServerUnreachable: No answer.
    """
    from serving.rest_client import RestTransport

    server = RestTransport(url)
    try:
        return server.predict(Asked(model, version, label, signature_name), instances, timeout_s)
    finally:
        server.close()


def status(
    url: str, model: str, version: int | None = None, timeout_s: float = TIMEOUT_S
) -> dict[int, str]:
    """State by version (``START``, ``LOADING``, ``AVAILABLE``, ``UNLOADING``, ``END``).

    Raises:
        ServerRefused: With the server's text; status 404 for a model it does not know.
        ServerUnreachable: No answer.
    """
    return {v: state for v, (state, _) in _states(url, model, version, timeout_s).items()}


def version_state(
    url: str,
    model: str,
    version: int,
    timeout_s: float = TIMEOUT_S,
    credentials: Credentials = NOBODY,
) -> tuple[str, str]:
    """State of one version, and why it is in that state ("" where there is nothing to say).

    Raises:
        ServerRefused: With the server's text; status 404 for a version it does not know.
        ServerUnreachable: No answer.
    """
    return _states(url, model, version, timeout_s, credentials)[version]


def metadata(
    url: str,
    model: str,
    version: int | None = None,
    label: str | None = None,
    timeout_s: float = TIMEOUT_S,
    credentials: Credentials = NOBODY,
) -> ModelMetadata:
    """The server's metadata document.

    Raises:
        ServerRefused: With the server's text.
        ServerUnreachable: No answer.
    """
    from serving.rest_client import RestTransport

    server = RestTransport(url, token=credentials.token, ca_file=credentials.ca_file)
    try:
        return server.metadata(Asked(model, version, label), timeout_s)
    finally:
        server.close()


def wait_available(
    url: str, model: str, version: int, timeout_s: float = 60.0, poll_wait_s: float = 0.2
) -> None:
    """Returns when a version is available.

    Args:
        url: Base URL of the server.
        model: Name that the model is served under.
        version: Number of the version.
        timeout_s: How long to wait at most.
        poll_wait_s: Between two looks.

    Raises:
        NotAvailable: The time is over, or the version could not be loaded.
    """
    until = time.monotonic() + timeout_s
    while True:
        try:
            state, text = _states(url, model, version, TIMEOUT_S)[version]
        except ServerRefused as error:
            state, text = "", error.text
        except ServerUnreachable as error:
            state, text = "", error.problem
        if state == "AVAILABLE":
            return
        is_failed = state == "END" and text
        if is_failed or time.monotonic() >= until:
            raise NotAvailable(
                f"{model}@{version} is not available at {url}"
                + (f" after {timeout_s:g} s" if not is_failed else "")
                + f": {' '.join(filter(None, (state, text)))}",
                hint=f"curl {url.rstrip('/')}/v1/models/{model}",
            )
        time.sleep(poll_wait_s)


def wait_label(
    url: str,
    model: str,
    label: str,
    version: int,
    timeout_s: float = 60.0,
    poll_wait_s: float = 0.2,
) -> None:
    """Returns when a label answers with a version.

    Raises:
        NotAvailable: The time is over.
    """
    until = time.monotonic() + timeout_s
    while True:
        try:
            found = metadata(url, model, label=label).model_spec.version
        except (ServerRefused, ServerUnreachable) as error:
            found = error.problem
        if found == str(version):
            return
        if time.monotonic() >= until:
            raise NotAvailable(
                f"The label {label!r} of {model} is not at version {version} at {url} after "
                f"{timeout_s:g} s: {found}",
                hint="look into the server's log: it says why it refuses models.config",
            )
        time.sleep(poll_wait_s)


def _states(
    url: str,
    model: str,
    version: int | None,
    timeout_s: float,
    credentials: Credentials = NOBODY,
) -> dict[int, tuple[str, str]]:
    from serving.rest_client import RestTransport

    server = RestTransport(url, token=credentials.token, ca_file=credentials.ca_file)
    try:
        return server.version_states(model, version, timeout_s)
    finally:
        server.close()
