"""OpenLineage hears of real stages: in a file, at a real address, and as its schema wants it."""

from __future__ import annotations

import http.server
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from goldlake.workflows.openlineage import datasets
from goldlake.workflows.processes import Run, StageEnded, StageFailed
from goldlake_core.contracts.errors import UsageError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.export import Boundaries
from goldlake_core.documents.lakehouse import Exported, Fates, Landed, Refined, TableState, Totals
from goldlake_core.documents.stages import (
    Event,
    ExportRequest,
    LandRequest,
    RefineRequest,
    Request,
    TrainRequest,
)
from goldlake_core.storage.home import Home
from metadata import openlineage
from metadata.openlineage import Dataset, Job, Receiver, Transition, dataset, event
from tests.workflows.test_processes import STAGES

JOB = Job(
    home="/h", run_id="r-1", started="2026-04-01T00:00:00.000000Z", parent="toy", name="toy.x"
)
NONE = dict.fromkeys(Fates.__struct_fields__, 0)
SPEC = "OPENLINEAGE_SPEC"
"""Names the folder `spec` of a checkout of OpenLineage."""


@pytest.fixture
def reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harbour: UseCase
) -> Callable[..., Run]:
    """Runs land and refine of a toy that reports to a target; returns the run."""
    package = tmp_path / "code" / "stagetoy"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(STAGES, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))

    def stages(target: str, source: str = "live", on_event: Any = lambda event: None) -> Run:
        monkeypatch.setenv(openlineage.SETTING, target)
        run = Run.new(Home.at(tmp_path / "home"))
        wanted = [
            run.request(LandRequest, harbour.name, harbour, source=source),
            run.request(RefineRequest, harbour.name, harbour),
        ]
        run.stages("stagetoy", wanted, on_event)
        return run

    return stages


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _told(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["eventType"], each["job"]["name"]) for each in events]


def test_stages_begin_and_complete_under_one_parent(
    tmp_path: Path, reported: Callable[..., Run]
) -> None:
    file = tmp_path / "events.jsonl"
    run = reported(str(file))
    events = _lines(file)
    assert _told(events) == [
        ("START", "toy_harbour.land"),
        ("COMPLETE", "toy_harbour.land"),
        ("START", "toy_harbour.refine"),
        ("COMPLETE", "toy_harbour.refine"),
    ]
    ids = [str(uuid.UUID(each["run"]["runId"])) for each in events]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    facets = [each["run"]["facets"] for each in events]
    assert {each["goldlake_run"]["runId"] for each in facets} == {run.run_id}
    [parent] = {each["parent"]["run"]["runId"] for each in facets}
    assert str(uuid.UUID(parent)) == parent not in ids
    [landed] = events[1]["outputs"]
    assert landed["name"] == run.home.landing("toy_harbour")
    assert landed["outputFacets"]["outputStatistics"]["rowCount"] == 42
    assert [each["name"] for each in events[3]["inputs"]] == [landed["name"]]


def test_a_second_run_adds_its_events(tmp_path: Path, reported: Callable[..., Run]) -> None:
    file = tmp_path / "events.jsonl"
    runs = [reported(str(file)).run_id for _ in range(2)]
    told = [each["run"]["facets"]["goldlake_run"]["runId"] for each in _lines(file)]
    assert told == [runs[0]] * 4 + [runs[1]] * 4


def test_a_stage_that_fails_says_why_and_one_that_is_ended_aborts(
    tmp_path: Path, reported: Callable[..., Run]
) -> None:
    failed, aborted = tmp_path / "failed.jsonl", tmp_path / "aborted.jsonl"
    with pytest.raises(StageFailed):
        reported(str(failed), "refusing")
    events = _lines(failed)
    assert _told(events) == [("START", "toy_harbour.land"), ("FAIL", "toy_harbour.land")]
    assert "The mix of colors moved" in events[1]["run"]["facets"]["errorMessage"]["message"]

    def interrupt(told: Event | StageEnded) -> None:
        if isinstance(told, Event) and told.kind == "progress":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reported(str(aborted), "sleeping", interrupt)
    assert [each["eventType"] for each in _lines(aborted)] == ["START", "ABORT"]


def test_a_receiver_that_fails_is_named_once_and_fails_nothing(
    tmp_path: Path, reported: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "nowhere" / "events.jsonl"
    run = reported(str(file))
    assert run.directory.result("refine").run_id == run.run_id
    assert caplog.messages == [
        f"OpenLineage: {file} cannot be written: No such file or directory; "
        "the run goes on, and events may be missing"
    ]


class Server(http.server.BaseHTTPRequestHandler):
    """Answers with one status and keeps what came."""

    status: ClassVar[int] = 201
    seen: ClassVar[list[tuple[str, str | None, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, self.headers.get("Authorization"), body))
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    Server.status, Server.seen = 201, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_server_gets_each_event_with_the_token(
    url: str, reported: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(openlineage.KEY, "s3cret")
    reported(url)
    assert [path for path, _, _ in Server.seen] == ["/api/v1/lineage"] * 4
    assert {token for _, token, _ in Server.seen} == {"Bearer s3cret"}
    assert Server.seen[0][2]["eventType"] == "START"
    assert Receiver(f"{url}/mine").send(event("START", JOB)) == ""
    assert Server.seen[-1][0] == "/mine"


def test_a_server_that_refuses_or_is_gone_is_told(url: str) -> None:
    Server.status = 503
    assert Receiver(url).send(event("START", JOB)) == f"{url} answered with status 503"
    gone = "http://127.0.0.1:1"
    assert Receiver(gone).send(event("START", JOB)) == f"{gone} was not reached (ConnectionError)"


def test_a_token_does_not_go_to_another_machine_in_the_clear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(openlineage.KEY, "s3cret")
    problem = Receiver("http://marquez.example:5000").send(event("START", JOB))
    assert problem == (
        "http://marquez.example:5000 is another machine without TLS, "
        "and OPENLINEAGE_API_KEY is not sent there"
    )


@pytest.mark.parametrize("target", ["ftp://somewhere", "http://", "https://me:s3cret@host"])
def test_a_wrong_address_is_refused_before_anything_runs(
    target: str, reported: Callable[..., Run]
) -> None:
    with pytest.raises(UsageError, match="is not the address of a receiver of OpenLineage") as e:
        reported(target)
    assert "s3cret" not in str(e.value)


def _request(kind: type[Request], home: Path, **fields: Any) -> Request:
    return kind(usecase="/some/where/toy", home=str(home), run_id="r-1", **fields)


def test_delta_tables_have_their_versions(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    tables = {
        "toy.silver.calls": TableState(rows=7, version=3),
        "toy.gold.days": TableState(rows=2, version=5),
    }
    refined = Refined(
        run_id="r-1",
        new_records=0,
        fates=Fates(**NONE),
        totals=Totals(silver=7, **NONE),
        reasons={},
        tables=tables,
        seconds={},
    )
    inputs, outputs = datasets(_request(RefineRequest, tmp_path), refined)
    assert inputs == [dataset(home.landing("toy"))]
    assert [(each.alias, each.version, each.rows) for each in outputs] == [
        ("toy.silver.calls", "3", 7),
        ("toy.gold.days", "5", 2),
    ]
    assert outputs[1].name == home.table("toy", "gold", "days")
    exported = _exported(home)
    inputs, written = datasets(_request(ExportRequest, tmp_path, model="late"), exported)
    assert [(each.name, each.version) for each in inputs] == [(outputs[1].name, "5")]
    training = _request(
        TrainRequest, tmp_path, model="late", export_id="toy/late/E", manifest_sha256="abc"
    )
    read, pushed = datasets(training, None)
    assert [(each.name, each.version) for each in read] == [
        (each.name, each.version) for each in written
    ]
    assert pushed == []


def _exported(home: Home) -> Exported:
    return Exported(
        export_id="toy/late/E",
        uri=home.export("toy", "late", "E"),
        table="toy.gold.days",
        version=5,
        table_uuid="u",
        content_hash="c",
        as_of="2026-04-01T00:00:00.000000Z",
        event_end="2026-04-01T00:00:00.000000Z",
        boundaries=Boundaries(**dict.fromkeys(Boundaries.__struct_fields__)),
        rows={"train": 1, "test": 1},
        manifest_sha256="abc",
        reused=False,
    )


@pytest.mark.parametrize(
    ("location", "namespace", "name"),
    [
        ("/home/me/var/tables/x", "file", "/home/me/var/tables/x"),
        ("s3://bucket/lake/x", "s3://bucket", "lake/x"),
        ("https://me:s3cret@host:8/rows.json?token=s3cret", "https://host:8", "/rows.json"),
        ("http://127.0.0.1:80", "http://127.0.0.1:80", "/"),
    ],
)
def test_places_are_named_as_openlineage_names_them(
    location: str, namespace: str, name: str
) -> None:
    assert dataset(location) == Dataset(namespace=namespace, name=name)


def test_what_a_source_says_it_is_asked_at_is_the_input_of_land(tmp_path: Path) -> None:
    landed = Landed(
        pages=1,
        rows=2,
        requests=1,
        retries=0,
        bytes=2,
        cursor=None,
        identity={},
        address="https://host/rows?key=s3cret",
    )
    inputs, _ = datasets(_request(LandRequest, tmp_path, source="live"), landed)
    assert inputs == [Dataset(namespace="https://host", name="/rows")]


@pytest.mark.parametrize("transition", ["START", "COMPLETE", "FAIL", "ABORT"])
def test_events_hold_to_the_schemas_of_the_specification(transition: Transition) -> None:
    """Of the event, and of each facet that the event says it holds to."""
    folder = os.environ.get(SPEC, "")
    if not Path(folder, "OpenLineage.json").is_file():
        pytest.skip(f"{SPEC} does not name the folder spec of a checkout of OpenLineage")
    import jsonschema
    from referencing import Registry, Resource

    schemas = [json.loads(file.read_text()) for file in sorted(Path(folder).glob("*.json"))]
    schemas += [
        json.loads(file.read_text()) for file in sorted(Path(folder, "facets").glob("*.json"))
    ]
    registry: Any = Registry().with_resources(
        [(each["$id"], Resource.from_contents(each)) for each in schemas]
    )
    table = dataset("/lake/x", alias="toy.gold.days", version="5", rows=2, is_delta=True)
    problem = "It broke" if transition == "FAIL" else ""
    found = json.loads(codec.encode_line(event(transition, JOB, [table], [table], problem)))
    checks = jsonschema.FormatChecker()

    def hold(document: Any, schema: str) -> None:
        jsonschema.Draft202012Validator(
            {"$ref": schema}, registry=registry, format_checker=checks
        ).validate(document)

    hold(found, found["schemaURL"])
    [output] = found["outputs"]
    facets = {**found["run"]["facets"], **output["facets"], **output["outputFacets"]}
    assert {"parent", "version", "storage", "symlinks", "outputStatistics"} <= set(facets)
    for facet in facets.values():
        hold(facet, facet["_schemaURL"])
    with pytest.raises(jsonschema.ValidationError):
        hold({**found, "run": {"runId": "20260401-093000-7f3a"}}, found["schemaURL"])
