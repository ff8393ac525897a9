"""The queue keeps its order, does a click once, and outlives the processes that work through it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from goldlake.workflows.jobs import queue as queue_module
from goldlake.workflows.jobs import work as work_module
from goldlake.workflows.jobs import worker
from goldlake.workflows.jobs.queue import MOST_QUEUED, Queue
from goldlake.workflows.jobs.work import work
from goldlake_core.contracts.errors import UsageError
from goldlake_core.documents.jobs import Job, JobEvent
from goldlake_core.stages import event_now
from goldlake_core.storage.home import Home
from goldlake_core.storage.locks import FileLock

PATIENCE_S = 120.0


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(Home.at(tmp_path))


def add(queue: Queue, subject: str = "a.b", key: str = "") -> Job:
    return queue.add("train", subject, {}, key or subject)


def rolled_back(queue: Queue, key: str) -> Job:
    """A job of the light lane that fails quickly: there is nothing to roll back."""
    return queue.add("rollback", "chicago_crime.arrest", {"label": key}, key)


def until(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_jobs_wait_in_the_order_in_which_they_were_asked_for(queue: Queue) -> None:
    made = [add(queue, f"a.m{n}") for n in range(3)]
    assert [job.id for job in queue.jobs()] == [job.id for job in made]
    assert queue.next("heavy") == made[0]
    assert queue.next("light") is None


def test_a_click_makes_one_job(queue: Queue) -> None:
    first = add(queue, key="click")
    assert add(queue, key="click") == first
    # Another page with the same question, while it waits.
    assert add(queue, key="other").id == first.id
    queue.begin(first.id)
    assert add(queue, key="third").id != first.id
    assert add(queue, key="click").id == first.id


def test_twenty_clicks_at_once_make_one_job(queue: Queue) -> None:
    threads = [threading.Thread(target=add, args=(queue, "a.b", "click")) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(queue.jobs()) == 1


def test_the_queue_is_bounded(queue: Queue) -> None:
    for n in range(MOST_QUEUED):
        add(queue, f"a.m{n}")
    with pytest.raises(UsageError, match=r"100 jobs wait in .* already\. Valid: at most 100"):
        add(queue, "a.more")


@pytest.mark.parametrize("same", [False, True], ids=["one by one", "in the same millisecond"])
def test_the_oldest_that_ended_are_forgotten(
    same: bool, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "MOST_ENDED", 2)
    if same:
        monkeypatch.setattr(queue_module, "now_text", lambda: "2026-01-01T00:00:00.000Z")
    for n in range(5):
        job = add(queue, f"a.m{n}")
        queue.end(job.id, "done", 0, "")
        queue.path(job.id, "log").write_text("x")
    add(queue, "a.last")
    assert [job.subject for job in queue.jobs()] == ["a.last", "a.m4", "a.m3"]
    assert len(list(queue.folder.glob("*.log"))) == 2


def test_a_job_that_waits_is_cancelled_at_once(queue: Queue) -> None:
    job = queue.cancel(add(queue).id)
    assert (job.state, job.result) == ("cancelled", "cancelled before it began")
    assert queue.begin(job.id) is None
    assert queue.cancel(job.id) == job


def test_a_job_whose_machine_went_down_is_begun_again_once(queue: Queue) -> None:
    job = add(queue)
    queue.begin(job.id)
    assert queue.recover(job.id).state == "queued"
    queue.begin(job.id)
    ended = queue.recover(job.id)
    assert (ended.state, ended.result) == ("failed", "its process was gone at attempt 2")
    assert queue.recover(job.id) == ended


def test_a_file_that_is_no_job_is_left_out(queue: Queue) -> None:
    add(queue)
    (queue.folder / "broken.json").write_text("{")
    assert len(queue.jobs()) == 1
    for name in ("../x", "broken", ""):
        with pytest.raises(UsageError, match="is not a job"):
            queue.job(name)
    with pytest.raises(UsageError, match="There is no job '20260101-000000-000000-beef'"):
        queue.job("20260101-000000-000000-beef")


def test_a_home_elsewhere_has_no_queue() -> None:
    with pytest.raises(UsageError, match="has no queue: its jobs would run here"):
        Queue(Home.at("memory://x"))


def test_steps_are_those_of_the_newest_attempt(queue: Queue) -> None:
    job = add(queue)
    for step, kind, message, done in (
        ("job", "begin", "", None),
        ("land", "begin", "", None),
        ("job", "begin", "", None),
        ("land", "begin", "", None),
        ("land", "progress", "landed 5", 5),
        ("land", "end", "", None),
        ("refine", "begin", "", None),
        ("refine", "progress", "bronze", 1),
    ):
        total = None if done is None else 9
        event = JobEvent(
            time="2026-01-01T00:00:00Z",
            step=step,
            kind=kind,  # type: ignore[arg-type]
            message=message,
            done=done,
            total=total,
        )
        queue.emit(job.id, event)
    with queue.path(job.id, "events.jsonl").open("ab") as file:
        file.write(b'{"half')
    land, refine = queue.steps(job.id)
    assert (land.name, land.message, bool(land.ended_at)) == ("land", "landed 5", True)
    assert (refine.done, refine.total, refine.ended_at) == (1, 9, None)


def test_a_lane_is_worked_through_in_its_order(queue: Queue) -> None:
    jobs = [rolled_back(queue, name) for name in ("one", "two")]
    process = worker.start(queue.home, "light")
    assert process is not None
    assert process.wait(PATIENCE_S) == 0
    ended = [queue.job(job.id) for job in jobs]
    assert [job.state for job in ended] == ["failed", "failed"]
    assert ended[0].result.startswith("No version of chicago_crime.arrest is pushed.")
    assert (ended[0].ended_at or "") <= (ended[1].began_at or "")
    assert worker.start(queue.home, "light") is None


@pytest.mark.long
def test_a_killed_worker_loses_no_job(queue: Queue) -> None:
    job = rolled_back(queue, "one")
    queue.begin(job.id)  # as a worker did that went down with the machine
    other = rolled_back(queue, "two")
    process = worker.start(queue.home, "light")
    assert process is not None
    process.wait(PATIENCE_S)
    assert [queue.job(each.id).state for each in (job, other)] == ["failed", "failed"]
    assert queue.job(job.id).attempts == 2


def test_a_running_job_is_cancelled_with_its_process(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that waits for the store of its use case, which this test holds."""
    lock = FileLock(queue.home.landing("chicago_crime", "lock"), "the store", work="refine")
    with lock:
        job = queue.add("ingest", "chicago_crime", {"source": "live"}, "key")
        process = worker.start(queue.home, "heavy")
        assert process is not None
        until(lambda: any("waiting" in step.message for step in queue.steps(job.id)))
        assert queue.is_worked("heavy")
        assert worker.start(queue.home, "heavy") is None
        queue.cancel(job.id)
        process.wait(PATIENCE_S)
    ended = queue.job(job.id)
    assert (ended.state, ended.exit_code) == ("cancelled", 143)
    assert not queue.is_alive(job.id)


@pytest.mark.long
def test_a_process_that_dies_without_a_word_fails_its_job(queue: Queue) -> None:
    with FileLock(queue.home.landing("chicago_crime", "lock"), "the store"):
        job = queue.add("ingest", "chicago_crime", {"source": "live"}, "key")
        process = worker.start(queue.home, "heavy")
        assert process is not None
        until(lambda: bool(queue.steps(job.id)))
        text = queue.path(job.id, "lock").read_text()
        os.kill(int(text.partition('"pid":')[2].partition(",")[0]), signal.SIGKILL)
        process.wait(PATIENCE_S)
    ended = queue.job(job.id)
    assert ended.state == "failed"
    assert ended.result == "its process ended early with signal 9; see its log"


@pytest.mark.long
def test_a_job_goes_on_when_who_asked_for_it_is_gone(queue: Queue) -> None:
    """The process that started the worker ends; the worker does not."""
    job = rolled_back(queue, "one")
    code = (
        "import sys; from goldlake.workflows.jobs import worker; "
        "from goldlake_core.storage.home import Home; worker.start(Home(sys.argv[1]), 'light')"
    )
    subprocess.run([sys.executable, "-c", code, queue.home.root], check=True, timeout=PATIENCE_S)
    until(lambda: queue.job(job.id).is_over)


def test_rows_are_generated_only_where_there_is_a_generator(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    options = {"source": work_module.GENERATED, "rows": "0", "seed": "1"}
    job = Queue(home).add("ingest", "chicago_crime", options, "key")
    with pytest.raises(UsageError, match="chicago_crime cannot generate 0 rows"):
        work(job, home, tmp_path / "log", lambda event: None)


def test_events_of_stages_become_events_of_the_job() -> None:
    event = worker._event(event_now("land", "progress", "landed 5", done=5, total=9))
    assert (event.step, event.kind, event.done, event.total) == ("land", "progress", 5, 9)
