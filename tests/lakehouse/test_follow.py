"""Following a source: polls go on through what passes, and end when they are told to."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from goldlake_core.contracts.errors import GoldlakeError, RetryableError, StoreError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents import codec
from goldlake_core.documents.lakehouse import Followed, Landed, Refined, Totals
from goldlake_core.documents.stages import FollowRequest
from goldlake_core.storage.home import Home
from lakehouse import follow, session
from lakehouse.commits import NO_RECORDS

Step = int | GoldlakeError


@pytest.fixture(autouse=True)
def _no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "is_running", lambda: False)


def landed(rows: int) -> Landed:
    nothing: dict[str, Any] = dict.fromkeys(("pages", "repeated", "restored", "missing"), 0)
    traffic: dict[str, Any] = dict.fromkeys(("requests", "retries", "bytes"), 0)
    return Landed(
        rows=rows,
        **nothing,
        **traffic,
        source_count=None,
        drift={},  # type: ignore[arg-type]
        cursor=None,
        identity={},
        address="",
        inputs={},
    )


def refined(run_id: str) -> Refined:
    totals = Totals(**dict.fromkeys(NO_RECORDS.__struct_fields__, 0), silver=0)
    return Refined(
        run_id=run_id,
        new_records=0,
        fates=NO_RECORDS,
        totals=totals,
        reasons={},
        tables={},
        seconds={},
    )


looked_back: list[bool] = []


def followed(
    usecase: UseCase,
    home: Home,
    steps: list[Step],
    tmp_path: Path,
    told: list[str],
) -> tuple[Followed, list[int]]:
    """Follows a source whose polls go as the steps say; SIGTERM comes with the last one."""
    left: Iterator[Step] = iter(steps)
    refines: list[int] = []
    polls = 0

    def land(request: Any, emit: Callable[..., None]) -> Landed:
        nonlocal polls
        looked_back.append(request.looks_back)
        polls += 1
        if polls == len(steps):
            os.kill(os.getpid(), signal.SIGTERM)
        step = next(left)
        if isinstance(step, GoldlakeError):
            raise step
        emit("progress", "a line per poll would fill the log")
        emit("info", f"{usecase.name}: nothing new at the source")
        return landed(step)

    def refine(request: Any, _emit: Callable[..., None]) -> Refined:
        refines.append(polls)
        return refined(request.run_id)

    request = FollowRequest(
        usecase=usecase.name,
        home=home.root,
        run_id="r",
        contract={},
        source="live",
        every=0.01,
        state=str(tmp_path / "state.json"),
    )
    document = follow.follow(
        request, lambda kind, message, **_: told.append(message), land, refine, lambda **_: None
    )
    return document, refines


def test_what_came_is_refined_and_sigterm_ends_it(usecase: UseCase, home: Home, tmp_path: Path):
    told: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    document, refines = followed(usecase, home, [0, 0, 5, 0, 7], tmp_path, told)
    # What an earlier process landed and did not refine is refined with the first poll.
    assert refines == [1, 3, 5]
    assert (document.polls, document.batches, document.rows) == (5, 2, 12)
    assert (document.activity, document.problem, document.failures) == ("stopped", None, 0)
    assert document.batch is not None
    assert (document.batch.rows, document.batch.seconds >= 0) == (7, True)
    assert [line.partition(" landed")[0] for line in told] == ["5", "7"]
    state = codec.decode((tmp_path / "state.json").read_bytes(), Followed, "state")
    assert state == document
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_overlap_is_read_now_and_then(
    usecase: UseCase, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_back.clear()
    followed(usecase, home, [0, 0, 0], tmp_path, [])
    assert looked_back == [True, False, False]
    looked_back.clear()
    followed(usecase, home, [RetryableError("the source is away"), 0, 0], tmp_path, [])
    assert looked_back == [True, True, False]
    looked_back.clear()
    monkeypatch.setattr(follow, "LOOK_BACK_S", 0.0)
    followed(usecase, home, [0, 0, 0], tmp_path, [])
    assert looked_back == [True, True, True]


def test_what_passes_is_told_and_asked_again_later(usecase: UseCase, home: Home, tmp_path: Path):
    told: list[str] = []
    away: list[Step] = [RetryableError(f"the source is away {n}") for n in range(3)]
    document, _ = followed(usecase, home, [*away, 4, RetryableError("again"), 0], tmp_path, told)
    assert (document.failures, document.rows, document.problem) == (4, 4, None)
    assert told[0].startswith("the source is away 0; the next poll comes in 0 s")
    assert len(told) == 5


def test_the_wait_doubles_up_to_a_bound(usecase: UseCase, home: Home, tmp_path: Path):
    request = FollowRequest(
        usecase="u", home="h", run_id="r", contract={}, source="s", every=30.0, state="state"
    )
    one: Any = follow._Follower(request, *[None] * 5)  # type: ignore[arg-type]
    waits = []
    for one._failed in (0, 1, 2, 3, 4, 50_000):
        waits.append(one._wait_s())
    assert waits == [30, 60, 120, 240, 300, 300]


def test_what_does_not_pass_ends_it(usecase: UseCase, home: Home, tmp_path: Path):
    with pytest.raises(StoreError, match="damaged"):
        followed(usecase, home, [1, StoreError("damaged"), 1], tmp_path, [])
    state = codec.decode((tmp_path / "state.json").read_bytes(), Followed, "state")
    assert (state.polls, state.rows) == (1, 1)
