"""Predict: a form made from the signature, one answer explained, and a CSV to score."""

from __future__ import annotations

import contextlib
import csv
import io
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from goldlake.ui.render import Form, form_of, render, site, text_of
from goldlake.ui.site import Site
from goldlake.workflows import model_views, names
from goldlake.workflows.launch import module_command
from goldlake.workflows.predict import Question, answers
from goldlake_core.contracts.errors import GoldlakeError, UsageError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.sections import Column, GoldTable, Model
from goldlake_core.contracts.wire import RawInput, raw_inputs
from serving import client, config, registry

MOST_ROWS = 50_000
TIMEOUT_S = 20.0
TYPICAL_SPLIT = "train"


@dataclass(frozen=True)
class Field:
    """An input of the form.

    Attributes:
        input: Input of the signature.
        column: Column of the gold table.
        value: Text in the form.
    """

    input: RawInput
    column: Column
    value: str


@dataclass(frozen=True)
class Effect:
    """What an input does to one answer.

    Attributes:
        name: Name of the input.
        value: Its value in the row.
        instead: The value that it was replaced with: missing, or what is commonest in training.
        change: Answer of the row less the answer with the other value.
    """

    name: str
    value: str
    instead: str
    change: float


def page(request: Request) -> Response:
    """Answers the form of a model, filled in with an example of its contract."""
    example = request.query_params.get("example", "0")
    return _page(request, request.query_params.get("model") or "", example=example)


async def ask(request: Request) -> Response:
    """Answers the form with the model's answer to its row."""
    form = await form_of(request)
    return await run_in_threadpool(_asked, request, form)


async def score(request: Request) -> Response:
    """Answers a CSV with the model's answer to each row of the one that was sent."""
    form = await form_of(request)
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise UsageError("No file was sent", valid="a CSV with a header")
    return await run_in_threadpool(_scored, request, text_of(form, "model"), file.file)


async def start_server(request: Request) -> Response:
    """Starts a model server that ends with the app, where none is running."""
    form = await form_of(request)
    await run_in_threadpool(_start_server, request)
    return RedirectResponse(f"/predict?model={text_of(form, 'model')}", 303)


def changed_rows(
    inputs: Mapping[str, object], typical: Mapping[str, object]
) -> Iterator[tuple[str, object, dict[str, object]]]:
    """Rows that differ from one in a single input each.

    Args:
        inputs: Value by input of the row that is explained.
        typical: Value by input that each is replaced with.

    Yields:
        The input, its new value, and the row.
    """
    for name, value in inputs.items():
        if name in typical and typical[name] != value:
            yield name, typical[name], {**inputs, name: typical[name]}


def figure_of(answer: Any) -> float | None:
    """The number of an answer that is explained: a probability where there is one."""
    if isinstance(answer, bool):
        return float(answer)
    if isinstance(answer, int | float):
        return float(answer)
    if isinstance(answer, list) and len(answer) == 1:
        return figure_of(answer[0])
    if isinstance(answer, dict):
        named = [answer[name] for name in ("probability", "score", "prediction") if name in answer]
        for value in [*named, *answer.values()]:
            if not isinstance(value, bool) and (found := figure_of(value)) is not None:
                return found
    return None


def _page(
    request: Request,
    name: str,
    *,
    example: str = "0",
    row: Mapping[str, str] | None = None,
    status: int = 200,
    **shown: Any,
) -> Response:
    held = site(request)
    served = [each.name for each in config.read_or_empty(held.home.models_config).models]
    models = sorted({*served, *names.pushed_models(held.home)})
    name = name or next(iter(served), next(iter(models), ""))
    values: Mapping[str, object] = {
        "answer": None,
        "effects": [],
        "problem": "",
        "figure": None,
        **shown,
    }
    if not name:
        return render(request, "predict.html", models=[], name="", fields=[], server="", **values)
    if name not in models:
        raise UsageError(f"There is no pushed model {name!r}", valid=", ".join(models))
    model, table = _contract(held, name)
    examples = model.examples
    place = int(example) if example.isdecimal() and int(example) < len(examples) else 0
    filled = row if row is not None else _texts(examples[place] if examples else {})
    return render(
        request,
        "predict.html",
        status,
        models=models,
        name=name,
        model=model,
        examples=len(examples),
        place=place,
        fields=_fields(model, table, filled),
        server=server_of(held),
        serving=names.served_version(name, held.home),
        **values,
    )


def server_of(shown: Site) -> str:
    """Address of a server of the home that is ready, or "" where none runs."""
    living = registry.living_servers(shown.home.models_config).values()
    return next((about.url for about in living if about.is_ready), "")


def _contract(shown: Site, name: str) -> tuple[Model, GoldTable]:
    wanted = ModelId.parse(name)
    usecase = shown.contract(wanted.usecase)
    if wanted.name not in usecase.models:
        raise UsageError(
            f"{wanted.usecase} has no model {wanted.name!r}", valid=", ".join(usecase.models)
        )
    model = usecase.models[wanted.name]
    return model, usecase.gold[model.table]


def _fields(model: Model, table: GoldTable, row: Mapping[str, str]) -> list[Field]:
    return [
        Field(each, table.column(each.name), row.get(each.name, ""))
        for each in raw_inputs(model, table)
        if each.flag_of is None
    ]


def _texts(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in row.items()
    }


def _asked(request: Request, form: Form) -> Response:
    shown = site(request)
    name = text_of(form, "model")
    model, table = _contract(shown, name)
    texts = {
        each.name: text_of(form, f"in-{each.name}")
        for each in raw_inputs(model, table)
        if each.flag_of is None
    }
    try:
        row = _row(model, table, texts)
        url = server_of(shown)
        if not url:
            raise UsageError("No server of this home is running", hint="start one below")
        typical = _typical(shown, name)
        changed = list(changed_rows(row, typical))
        with client.connect(url, timeout_s=TIMEOUT_S) as server:
            asked = [row, *(each for _, _, each in changed)]
            found = server.model(name).predict(asked)
    except GoldlakeError as error:
        return _page(request, name, row=texts, status=400, problem=error.message)
    answer, figure = found[0], figure_of(found[0])
    explained = []
    for (column, instead, _), other in zip(changed, found[1:], strict=True):
        value = figure_of(other)
        if figure is not None and value is not None:
            explained.append(Effect(column, str(row.get(column)), _shown(instead), figure - value))
    explained.sort(key=lambda each: -abs(each.change))
    return _page(request, name, row=texts, answer=answer, figure=figure, effects=explained)


def _row(model: Model, table: GoldTable, texts: Mapping[str, str]) -> dict[str, object]:
    """The row of a form; what is empty is missing.

    Raises:
        UsageError: A text is not of its input's type.
    """
    row: dict[str, object] = {}
    for each in raw_inputs(model, table):
        text = texts.get(each.name, "")
        if each.flag_of is not None or (not text and each.nullable):
            continue
        row[each.name] = _typed(each, text)
    return row


def _typed(each: RawInput, text: str) -> object:
    try:
        if each.dtype == "bool":
            return {"true": True, "false": False}[text.lower()]
        if each.dtype == "int64":
            return int(text)
        if each.dtype == "float32":
            return float(text)
    except (KeyError, ValueError) as error:
        raise UsageError(f"{each.name}: {text!r} does not fit", valid=f"a {each.type}") from error
    return text


def _typical(shown: Site, name: str) -> dict[str, object]:
    """The commonest text, or the mean, of each input in the training of what serves."""
    version = names.served_version(name, shown.home)
    reference = f"{name}@{version}" if version else name

    def read() -> dict[str, object]:
        with contextlib.suppress(GoldlakeError):
            held = model_views.statistics(model_views.subject(reference, shown.home))
            model, table = _contract(shown, name)
            types = {each.name: each.dtype for each in raw_inputs(model, table)}
            found: dict[str, object] = {}
            for column, about in held.splits.get(TYPICAL_SPLIT, {}).items():
                kind = types.get(column)
                if kind == "string" and about.values:
                    found[column] = about.values[0][0]
                elif kind in ("int64", "float32") and about.mean is not None:
                    found[column] = round(about.mean) if kind == "int64" else about.mean
                elif kind == "bool" and about.mean is not None:
                    found[column] = about.mean > 0.5
            return found
        return {}

    return shown.kept(("typical", name), version, read)


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _scored(request: Request, name: str, file: BinaryIO) -> Response:
    shown = site(request)
    _contract(shown, name)
    url = server_of(shown)
    if not url:
        raise UsageError("No server of this home is running", hint="start one on the page Predict")
    with tempfile.TemporaryDirectory(prefix="goldlake-ui-") as folder:
        path = Path(folder, "rows.csv")
        path.write_bytes(file.read())
        with path.open(encoding="utf-8-sig", newline="") as lines:
            head = next(csv.reader(lines), [])
        question = Question(name, str(path), url, "csv", keep=tuple(head), timeout_s=TIMEOUT_S)
        text = io.StringIO()
        writer = None
        for count, record in enumerate(answers(question, io.BytesIO()), 1):
            if count > MOST_ROWS:
                raise UsageError(
                    f"The file has more than {MOST_ROWS:,} rows",
                    hint=f"goldlake predict {name} --input FILE",
                )
            writer = writer or csv.DictWriter(text, list(record))
            if count == 1:
                writer.writeheader()
            writer.writerow(record)
    headers = {"content-disposition": f'attachment; filename="{name}-answers.csv"'}
    return Response(text.getvalue(), headers=headers, media_type="text/csv; charset=utf-8")


def _start_server(request: Request) -> None:
    """One server at most: it registers in the home, where the page finds it."""
    shown, state = site(request), request.app.state
    with state.server_lock:
        is_alive = state.server is not None and state.server.poll() is None
        if is_alive or server_of(shown):
            return
        path = shown.home.models_config
        if not shown.home.is_local or not Path(path).exists():
            raise UsageError("Nothing is promoted in this home", hint="promote a version first")
        log = Path(shown.home.path("logs"), "ui-server.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as sink:
            state.server = subprocess.Popen(
                module_command("serving", "--model-config-file", path, "--rest-port", "0"),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
