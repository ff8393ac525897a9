"""A home: what it holds, and the commands over it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from goldlake.api.models import Models
from goldlake.api.tables import Table, Tables
from goldlake.api.usecases import UseCases
from goldlake.workflows.report.markup import html
from goldlake_core.storage import home as storage

if TYPE_CHECKING:
    from goldlake.api.validation import Validation
    from goldlake.workflows.processes import OnEvent
    from goldlake_core.documents.examining import Examined
    from goldlake_core.documents.monitoring import MonitorReport, RetrainReport
    from goldlake_core.documents.reports import (
        IngestReport,
        Lineage,
        Promotion,
        ReportWritten,
        TrainReport,
    )


class Home:
    """Everything that goldlake keeps in one place; `goldlake.open` makes it.

    It keeps no state: each answer is what the home holds at that moment, while other processes
    write. Verbs are the commands of the same name. They run the same stages in other processes,
    take the same locks, are on record in the same history, and raise the same errors.

    Args:
        home: Paths of the home.
        progress: Whether stages say on standard error what they do.

    Example:
        >>> home = goldlake.open("var/demo")
        >>> home.tables["city_bikes.gold.trips"].version
        2
        >>> home.models["city_bikes.is_late"].serving.version
        1
    """

    def __init__(self, home: storage.Home, *, progress: bool = True) -> None:
        self._home = home
        self._progress = progress

    @property
    def root(self) -> str:
        """Absolute path or URL of the home."""
        return self._home.root

    @property
    def usecases(self) -> UseCases:
        """Use cases that the home holds something of, by name."""
        return UseCases(self._home)

    @property
    def tables(self) -> Tables:
        """Tables by name; ``tables["NAME@3"]`` is version 3 of one."""
        return Tables(self._home)

    @property
    def models(self) -> Models:
        """Models with a pushed version or a refused candidate, by name."""
        return Models(self._home)

    def table(self, name: str) -> Table:
        """A table at its newest version, or at the one that the name says.

        Args:
            name: Such as ``city_bikes.gold.trips`` or ``city_bikes.gold.trips@3``.

        Raises:
            UsageError: There is no such table or version; the error names the nearest.
            StoreError: The files of the version are gone.
        """
        return self.tables[name]

    def ingest(
        self,
        usecase: str,
        source: str = "live",
        *,
        since: str | date | None = None,
        until: str | date | None = None,
        accept_rejected: bool = False,
    ) -> IngestReport:
        """Lands what is new at the source and refines it, as ``goldlake ingest``.

        A second call takes what is new since. Where another process refines the use case, it waits
        or is refused as the command is.

        Args:
            usecase: Name of the use case, or path of its folder.
            source: The word ``live`` for the source of the contract, a URL, or a path of files.
            since: First day wanted, ``YYYY-MM-DD`` or a date, or None.
            until: First day no longer wanted, or None.
            accept_rejected: Whether any share of rejected records is accepted in this run.

        Returns:
            What was landed, and what became of every record.

        Raises:
            UsageError: There is no such use case, or the home cannot follow its contract.
            GoldlakeError: A stage failed; ``exit_code`` is 3 where a gate refused the data.
        """
        from goldlake.workflows.ingest import ingest

        with self._told() as on_event:
            return ingest(
                usecase,
                self._written(),
                source,
                _day(since),
                _day(until),
                on_event,
                accept_rejected=accept_rejected,
            )

    def train(self, model: str, *, version: int | None = None) -> TrainReport:
        """Trains a model on one gold version and pushes what is blessed, as ``goldlake train``.

        What did not change since the last training is not computed again. Nothing is promoted.

        Args:
            model: Such as ``city_bikes.is_late``.
            version: Version of the gold table, or None for the newest.

        Returns:
            What the model was trained on and what came of it. ``train.blessed`` is false where its
            evaluation refused the candidate, and ``train.model_version`` is None then.

        Raises:
            UsageError: There is no such model, gold table or version.
            GoldlakeError: A stage failed; ``exit_code`` is 3 where the validation gate refused the
                data.
        """
        from goldlake.workflows.train import train

        with self._told() as on_event:
            return train(model, self._written(), version, on_event)

    def monitor(
        self, model: str, *, request_log: str | os.PathLike[str] | None = None
    ) -> MonitorReport:
        """What logged requests say of a version, as ``goldlake monitor``; tables are only read.

        Args:
            model: Such as ``city_bikes.is_late``, for the version that serves, or
                ``city_bikes.is_late@7``.
            request_log: Folder of the request log, where the server was given another one.

        Returns:
            Live metrics, calibration and drift. ``alarms`` names what is beyond a limit, and
            ``unjudged`` what could not be judged, and why.

        Raises:
            UsageError: There is no such model or version, or no version serves.
            StoreError: The gold table cannot be read.

        Example:
            >>> live = goldlake.open("var/demo").monitor("city_bikes.is_late")
            >>> live.model, live.log.lines, live.labels.scored, live.labels.unripe
            ('city_bikes.is_late@1', 2, 1, 1)
            >>> live.alarms
            ()
        """
        from goldlake.workflows.monitor import monitor

        return monitor(model, self._home, _text(request_log))

    def retrain(
        self,
        model: str,
        conditions: str,
        *,
        promote: bool = False,
        again: bool = False,
        request_log: str | os.PathLike[str] | None = None,
    ) -> RetrainReport:
        """Trains a model again when that is due, as ``goldlake retrain``.

        Args:
            model: Such as ``city_bikes.is_late``.
            conditions: Such as ``rows>=5000, age>=30d, drift, metric:auc[28d]<0.88``; any of them
                is enough.
            promote: Whether a blessed version is to serve.
            again: Whether to train also where a candidate of the same data was refused.
            request_log: Folder of the request log, where the server was given another one.

        Returns:
            What was found, and what came of it: ``outcome`` is ``quiet`` where nothing was due,
            ``blessed``, ``refused``, or ``refused_before`` where a candidate of the same data was;
            ``promoted`` is the version that serves now because of it.

        Raises:
            UsageError: There is no such model or gold table, or a condition cannot be read.
            LockedError: Another process retrains the model.
            GoldlakeError: A stage failed; ``exit_code`` is 3 where the validation gate refused the
                data.

        Example:
            >>> home = goldlake.open("var/demo")
            >>> found = home.retrain("city_bikes.is_late", "rows>=5000, metric:auc<0.7")
            >>> found.outcome
            'quiet'
            >>> [each.holds for each in found.conditions]
            [False, None]
            >>> found.conditions[0].found
            '1 rows more than @2 learned from'
        """
        from goldlake.workflows.retrain import retrain

        folder = _text(request_log)
        with self._told() as on_event:
            return retrain(
                model,
                self._written(),
                conditions,
                on_event,
                is_promoted=promote,
                is_again=again,
                folder=folder,
            )

    def promote(
        self,
        model: str,
        label: str = "stable",
        *,
        because: str = "",
        url: str | None = None,
        wait_s: float = 120.0,
    ) -> Promotion:
        """Makes a pushed version the one that serves under a label, as ``goldlake promote``.

        Args:
            model: The model and the version, such as ``city_bikes.is_late@7``.
            label: Label to move.
            because: Why; it goes on record.
            url: A server that does not follow the home by itself, or None.
            wait_s: Seconds to wait for the servers, in each phase.

        Returns:
            What has the label now, and what each server answers with; ``is_confirmed`` is false
            where one did not confirm it.

        Raises:
            UsageError: No version is named, or it was never pushed.
            NotAvailable: A server could not load the version; the label stays where it was.
        """
        from goldlake.workflows.promote import Options, promote

        options = Options(url=url, because=because, wait_s=wait_s)
        with self._told() as on_event:
            return promote(self._written(), model, label, options, on_event)

    @contextlib.contextmanager
    def serve(self) -> Iterator[str]:
        """Serves what is promoted on a free port of this machine while the block runs.

        It is the embedded server in another process, so that TensorFlow does not come into this
        one. `predict` finds it: ``with home.serve(): home.predict(model, rows)``.

        Yields:
            The URL of its REST API.

        Raises:
            UsageError: Nothing is promoted in the home.
            GoldlakeError: The server ended before it was ready.
        """
        from goldlake.workflows.serve import served

        with served(self._written()) as url:
            yield url

    def predict(
        self,
        model: str,
        rows: Any,
        *,
        url: str | None = None,
        label: str | None = None,
        keep: Sequence[str] = (),
        signature_name: str | None = None,
        timeout_s: float = 60.0,
        token_file: str | None = None,
        ca_file: str | None = None,
    ) -> list[Any]:
        """Asks a server about rows, as ``goldlake predict``. Nothing is computed in this process.

        Rows of a model whose contract is found here are checked before they are sent, and what a
        row leaves out travels as the contract says.

        Args:
            model: Such as ``city_bikes.is_late`` or ``…@7``.
            rows: Mappings, or a frame of Polars or pandas, or a table of pyarrow.
            url: Base URL of the server, ``http://…`` or ``grpc://…``. None takes a server of this
                home that runs now.
            label: Ask the version with this label, or None.
            keep: Columns of the rows that go into the answers. Those that are not inputs of the
                model are not sent.
            signature_name: Name of the signature, or None for the default one.
            timeout_s: Seconds for one request with all its attempts.
            token_file: File of a bearer token to send, or None.
            ca_file: File of certificates to trust in place of the system's, or None.

        Returns:
            An answer for each row, in their order: the value as the server answered it, or with
            ``keep`` a dictionary of the kept columns and the outputs.

        Raises:
            UsageError: No server of this home runs, or it has no such model, version or label.
            InstanceError: A row has a wrong name or type.
            GoldlakeError: The server refused the request, or there was no answer.

        Example:
            >>> home = goldlake.open("var/demo")
            >>> rows = [{"minutes": 12.0}, {"minutes": 20.0}]
            >>> home.predict("city_bikes.is_late", rows, label="stable")
            [7.0, 11.0]
        """
        from goldlake.workflows.predict import Question, answers_to
        from goldlake.workflows.serve import running_server

        question = Question(
            model,
            url=url if url is not None else running_server(self._home, model),
            label=label,
            keep=(keep,) if isinstance(keep, str) else tuple(keep),
            signature_name=signature_name,
            timeout_s=timeout_s,
            token_file=token_file,
            ca_file=ca_file,
        )
        return list(answers_to(question, rows))

    def lineage(self, name: str) -> Lineage:
        """Which rows made a model, or which models a table's rows made, as ``goldlake lineage``.

        Args:
            name: A model or a table, with a version or without.

        Raises:
            UsageError: No such model, table or version is recorded.
        """
        from goldlake.workflows import views

        return views.lineage(self._home, name)

    def validation(self, model: str) -> Validation:
        """What the gate last decided about the data of a model, with TFDV's own files.

        Args:
            model: Such as ``city_bikes.is_late``.

        Raises:
            UsageError: No training of the model got as far as its gate.
        """
        from goldlake.api.validation import Validation
        from goldlake.workflows.validations import validation

        return Validation(self._home, validation(model, self._home))

    def examined(self, model: str) -> Examined:
        """What a model's answers to its test split show, as the report of the model draws it.

        The first call answers the split with TensorFlow, in another process, and keeps what it
        found in the home.

        Args:
            model: Such as ``city_bikes.is_late@2``. Without a version it is what was trained last.

        Returns:
            Curves, densities or confusions by the model's head; importance and partial dependence
            of its columns; its largest errors, which are rows of the data.

        Raises:
            UsageError: There is no such model or version, or the home no longer holds it.
            StoreError: Its export is gone, or was changed.
        """
        from goldlake.workflows import model_views

        with self._told() as on_event:
            return model_views.examined(model_views.subject(model, self._home), on_event)

    def report(
        self, name: str, out: str | os.PathLike[str] | None = None, *, against: int | None = None
    ) -> ReportWritten:
        """Writes one HTML file about a model, or about the data of a use case.

        It is what ``goldlake report`` writes.

        Args:
            name: ``USECASE.MODEL[@V]``, or a use case.
            out: File to write, or None for one in the working directory with the model's name.
            against: Version to compare with; None: the one that the gate compared with.

        Returns:
            Where the file is, its size and its sections.

        Raises:
            UsageError: There is no such model, version or use case.
            StoreError: The file cannot be written.
        """
        from goldlake.workflows.report.write import report

        with self._told() as on_event:
            return report(name, self._home, against, _text(out), on_event)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Home) and self._home == other._home

    def __hash__(self) -> int:
        return hash(self._home)

    def __repr__(self) -> str:
        return f"Home({self.root!r})"

    def _repr_html_(self) -> str:
        from goldlake.workflows import homes

        usecases, models = self.usecases, self.models
        head = html("<p><b>{root}</b></p>", root=self.root)
        if not usecases and not models:
            others = ", ".join(homes.elsewhere(self._home))
            known = f" Homes that hold something: {others}." if others else ""
            return str(head + html("<p>Nothing yet.{known}</p>", known=known))
        parts = [part._repr_html_() for part in (usecases, self.tables, models) if part]
        return str(head) + "".join(parts)

    def _written(self) -> storage.Home:
        """The home, to write into: documents of one that was moved say where it is now."""
        from goldlake.cli.common import settled

        return settled(self._home)

    @contextlib.contextmanager
    def _told(self) -> Iterator[OnEvent]:
        """What takes the events of stages."""
        if not self._progress:
            yield lambda event: None
            return
        from goldlake.cli import account
        from goldlake.cli.progress import Progress

        with Progress(account.SUMMARIES) as progress:
            yield progress


def opened(home: str | os.PathLike[str] | None, *, progress: bool) -> Home:
    """The home at a place; see `goldlake.open`."""
    from goldlake.workflows import homes

    chosen = homes.choose(os.fspath(home) if home is not None else None)
    return Home(chosen.home, progress=progress)


def _text(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.fspath(path)


def _day(day: str | date | None) -> str | None:
    return day.isoformat() if isinstance(day, date) else day
