"""Asks the API for one month after the other, and divides an area that holds too many records."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from goldlake_core.contracts.errors import RetryableError
from goldlake_core.contracts.sections import UseCase
from goldlake_core.documents.lakehouse import Identity
from goldlake_core.storage.landing import Cursor
from lakehouse.sources import split
from lakehouse.sources.base import Origin, Page, Paging, Patience, Traffic, options_of
from lakehouse.sources.http import Http, Refused, Response, base_url
from lakehouse.sources.police_uk.answers import Month, explained, months_of, read
from lakehouse.sources.police_uk.options import OPTIONS
from lakehouse.sources.police_uk.records import (
    FIRST_DAY,
    Mixed,
    keyed,
    merged,
    place_of,
    require_month,
)
from lakehouse.sources.police_uk.settings import Question, settings_of
from lakehouse.sources.told import told_by

MOST_URL = 4_094
"""Longest URL in characters that the API takes; longer questions are sent as a form."""
MOST_RECORDS = 10_000
"""Records that an answer may have."""
BURST = 30
"""Requests that the API takes at once."""
TOO_MANY, NOT_FOUND = 503, 404
"""The API's answers for an area with over 10,000 records, and for a month that it does not have."""

_SAFE = ",:"
_UPDATED, _DATES = "/api/crime-last-updated", "/api/crimes-street-dates"


class PoliceUkConnector:
    """A `lakehouse.sources.base.Connector` for the records of an area, month by month.

    A page is a month, whole. Months without records are passed over.

    Args:
        usecase: Its source's category (``dataset``) and options are used.
        address: Base URL; "" for the contract's own.

    Raises:
        UsageError: The address is not an http(s) URL, or an option does not hold.
    """

    paging: Paging = "keyset"

    def __init__(self, usecase: UseCase, address: str = "") -> None:
        source = usecase.source
        self.traffic = Traffic()
        without = "an address without them: the API takes none"
        url = base_url(address or source.address, "the API", without)
        self._address = url.removesuffix("/api")
        self._publisher = urlsplit(source.address or self._address).hostname or ""
        self._category = source.dataset
        options_of(source, OPTIONS)
        self._settings = settings = settings_of(source.options)
        self.patience = Patience(settings.attempts, settings.backoff_s)
        self._questions = settings.questions()
        self._parts: dict[Question, tuple[Question, ...]] = {}
        self._months: list[str] | None = None
        self._known_update = ""
        self._http = Http(
            self.traffic,
            patience=self.patience,
            timeout_s=settings.timeout_s,
            interval_s=1 / settings.requests_per_s,
            burst=min(BURST, max(1, int(settings.requests_per_s))),
            explain=explained,
        )

    def origin(self) -> Origin:
        """A simulator's own account of its records, or publisher and category.

        Another area, or an earlier first month, are other inputs of the same source: it is read
        from its start again.
        """
        url = self._address + _UPDATED
        self._known_update, told = self._http.get(
            url, lambda response: (read(Month)(response).date, told_by(response.headers, url))
        )
        area: Identity = {
            "area": self._settings.area_digest,
            "first_month": self._settings.first_month,
        }
        if told is not None:
            return Origin(told.identity, self._address, {**told.inputs, **area})
        live: Identity = {"kind": "police_uk", "publisher": self._publisher}
        return Origin({**live, "dataset": self._category}, self._address, area)

    def page(self, cursor: Cursor | None, since: str | None, until: str | None) -> Page:
        """The first month with records that follows a cursor; see `Connector.page`.

        Raises:
            RetryableError: The API still failed after several tries, or did not stay the same.
            PermanentError: It refuses.
        """
        for month in self.parts(cursor, since, until):
            rows, answers = self._month(month)
            if rows:
                return Page(rows, self._url_of(month, answers), notes=self._notes(answers))
        return Page([], self._address + _DATES)

    def key(self, record: bytes) -> Cursor | None:
        """The month of a landed line, and its key; None where it has none."""
        return place_of(record)

    def count(self, cursor: Cursor | None, since: str | None, until: str | None) -> int | None:
        """Unknown: the API does not count."""
        return None

    def parts(self, cursor: Cursor | None, since: str | None, until: str | None) -> list[str]:
        """The months that follow a cursor; see `lakehouse.sources.base.Divided`."""
        return [
            month
            for month in self._held()
            if (cursor is None or _follows(month + FIRST_DAY, cursor))
            and (since is None or month + "-01" >= since)
            and (until is None or month + "-01" < until)
        ]

    def holds(self, place: Cursor) -> bool:
        """Whether the API still has the month of a place, and is asked for it."""
        return place.value.removesuffix(FIRST_DAY) in self._held()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _held(self) -> list[str]:
        """The months that the API has and the contract wants, oldest first."""
        if self._months is None:
            self._months = self._asked_months()
        first, last = self._settings.first_month, self._settings.last_month
        return [m for m in self._months if m >= first and (not last or m <= last)]

    def _asked_months(self) -> list[str]:
        return self._http.get(self._address + _DATES, months_of)

    def _month(self, month: str) -> tuple[list[bytes], int]:
        """The records of a month ordered by their keys, and how many answers it took.

        Where it took several, the API must not have updated its data between them.
        """
        for attempt in range(self.patience.attempts):
            if attempt:
                self.traffic.retries += 1
            before = self._known_update or self._updated()
            answers: list[list[bytes]] = []
            for question in self._questions:
                self._ask(question, month, answers)
            if len(answers) > 1 and before != self._updated():
                continue
            try:
                return keyed(merged(answers), month), len(answers)
            except Mixed:
                continue
        raise RetryableError(
            f"The data of {month} at {self._address} were updated each of "
            f"{self.patience.attempts} times while they were asked for",
            hint="the same command again, later: it goes on where it stopped",
        )

    def _updated(self) -> str:
        """When the API says that its data were updated."""
        self._known_update = self._http.get(self._address + _UPDATED, read(Month)).date
        return self._known_update

    def _ask(self, question: Question, month: str, answers: list[list[bytes]]) -> None:
        """Adds the records of an area; one that holds too many is asked for in parts."""
        parts, start = self._parts.get(question), len(answers)
        if parts is None:
            try:
                answers.append(self._answer(question, month))
                return
            except Refused as refused:
                parts = self._divided(question, month, refused)
        for part in parts:
            self._ask(part, month, answers)
        # Else the answer was one of an API that was busy: the next month is asked for whole.
        if sum(map(len, answers[start:])) > MOST_RECORDS:
            self._parts[question] = parts

    def _divided(self, question: Question, month: str, refused: Refused) -> tuple[Question, ...]:
        """What is asked after a refusal: parts of the area, or nothing where the month is gone.

        Raises:
            Refused: Another question would not help.
            RetryableError: The area cannot be divided.
        """
        if refused.status == NOT_FOUND:
            self._require_forgotten(month, refused)
            return ()
        if refused.status != TOO_MANY:
            raise refused
        parts = question.parts() if question.polygon else ()
        if parts:
            return parts
        if question.polygon:
            told = "even for an area of fifty meters, so it does not answer at all now"
            hint = "the same command again, later: it goes on where it stopped"
        else:
            told, hint = "which cannot be divided", "a polygon in source.options in place of points"
        raise RetryableError(f"{refused.problem}: {told}", hint=hint)

    def _require_forgotten(self, month: str, refused: Refused) -> None:
        """Passes where the API dropped the month meanwhile."""
        self._months = self._asked_months()
        if month in self._months:
            raise refused

    def _answer(self, question: Question, month: str) -> list[bytes]:
        url, form = self._request(question, month)

        def read(response: Response) -> list[bytes]:
            rows = split.records(response.body, response.headers.get("Content-Type", ""))
            require_month(rows, month)
            return rows

        final = frozenset[int]() if question.force else frozenset({TOO_MANY})
        if len(url) <= MOST_URL:
            return self._http.get(url, read, final=final)
        return self._http.post(url.partition("?")[0], form, read, final=final)

    def _request(self, question: Question, month: str) -> tuple[str, Mapping[str, str]]:
        form = {"date": month, **question.parameters}
        path = f"/api/crimes-street/{self._category}"
        if question.force:
            path = "/api/crimes-no-location"
            form["category"] = self._category
        return f"{self._address}{path}?{urlencode(form, safe=_SAFE)}", form

    def _url_of(self, month: str, answers: int) -> str:
        """What the manifest says of a month: the first question, and how many answers there were.

        A polygon that is too long for a URL is replaced by its digest.
        """
        url, form = self._request(self._questions[0], month)
        if len(url) > MOST_URL:
            digest = hashlib.sha256(form["poly"].encode()).hexdigest()[:16]
            url = f"{url.partition('?')[0]}?date={month}&poly=sha256:{digest}"
        return url if answers == 1 else f"{url}#answers={answers}"

    def _notes(self, answers: int) -> tuple[str, ...]:
        notes = []
        first, months = self._settings.first_month, self._months or []
        if first and months and first < months[0]:
            notes.append(f"the API has no months before {months[0]}; {first} was asked for")
        if answers > len(self._questions):
            notes.append("the area holds more records than one answer may have; it was divided")
        return tuple(notes)


def _follows(begins: str, cursor: Cursor) -> bool:
    """Whether a month follows a cursor; one without a tiebreak is a time, and may begin there."""
    return begins > cursor.value or (not cursor.tiebreak and begins == cursor.value)
