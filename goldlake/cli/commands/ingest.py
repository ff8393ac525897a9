"""The data engineer's commands against the source: ingest, backfill, reconcile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from goldlake.cli import completion
from goldlake.cli.common import accepts_rejected, report, reports, used_home
from goldlake.cli.printing import Part, aligned, console, say, say_all, say_wrapped
from goldlake_core.contracts.durations import seconds_of
from goldlake_core.contracts.errors import UsageError

if TYPE_CHECKING:
    from goldlake_core.documents.planning import IngestPlan, Reconciled
    from goldlake_core.documents.reports import FollowReport
    from goldlake_core.storage.home import Home

_PLAN = click.option(
    "--plan", "is_plan", is_flag=True, help="Only say what would happen; write nothing."
)
_EVERY_S, _LONGEST_S, _GATE_EVERY_S = 30.0, 86_400.0, 900.0
_SOURCE = "The API or the files to read; live: the contract's own address."


class _Share(click.ParamType):
    """A share such as ``5%`` or ``0.05``, or ``all``."""

    name = "share"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> float:
        """The share as a number from 0 to 1."""
        text = str(value)
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = 1.0 if text == "all" else -1.0
        if not 0 <= share <= 1:
            self.fail(f"{text!r} is not a share: 5%, 0.05 or all", parameter, context)
        return share


class _Seconds(click.ParamType):
    """A time such as ``30s``, in seconds."""

    name = "time"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> float:
        """The time as a number of seconds, more than 0."""
        try:
            seconds = seconds_of(str(value))
        except (KeyError, ValueError, IndexError):
            seconds = 0.0
        if not 0 < seconds <= _LONGEST_S:
            self.fail(f"{value!r} is not a time: 30s, 5m, 1h, at most 1d", parameter, context)
        return seconds


@click.command()
@click.argument("usecase", shell_complete=completion.usecases)
@click.option("--source", required=True, metavar="URL|PATH|live", help=_SOURCE)
@click.option("--since", metavar="DAY", help="First day wanted, YYYY-MM-DD.")
@click.option("--until", metavar="DAY", help="First day no longer wanted, YYYY-MM-DD.")
@_PLAN
@accepts_rejected
@click.option("--follow", is_flag=True, help="Go on until SIGTERM or Ctrl-C: poll, land, refine.")
@click.option(
    "--every",
    type=_Seconds(),
    metavar="TIME",
    help="Time from one poll to the next, such as 30s (with --follow).  [default: 30s]",
)
@click.option(
    "--gate-every",
    type=_Seconds(),
    metavar="TIME",
    help="Least time from one judgement of the validation gate to the next (with --follow).  "
    "[default: 15m]",
)
@click.option(
    "--health-port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Answer /healthz on this port of loopback (with --follow).",
)
@reports
def ingest(
    usecase: str,
    home: str | None,
    as_json: bool,
    follow: bool,
    every: float | None,
    gate_every: float | None,
    health_port: int | None,
    **options: Any,
) -> None:
    """Land what is new at the source and refine it: bronze, silver, gold."""
    if not follow:
        only = {"--every": every, "--gate-every": gate_every, "--health-port": health_port}
        for name, value in only.items():
            if value is not None:
                raise UsageError(f"{name} goes with --follow", hint="add --follow")
        _ingest(usecase, home, as_json, **options)
        return
    for name in ("since", "until", "is_plan"):
        if options[name]:
            option = "--plan" if name == "is_plan" else f"--{name}"
            raise UsageError(
                f"{option} does not go with --follow, which takes in whatever is new",
                hint="leave one of them out; a range of days is goldlake backfill's",
            )
    gate_every_s = _GATE_EVERY_S if gate_every is None else gate_every
    _follow(usecase, home, as_json, options, every or _EVERY_S, gate_every_s, health_port)


@click.command()
@click.argument("usecase", shell_complete=completion.usecases)
@click.option("--since", required=True, metavar="DAY", help="First day wanted, YYYY-MM-DD.")
@click.option("--until", required=True, metavar="DAY", help="First day no longer wanted.")
@click.option(
    "--source", default="live", show_default=True, metavar="URL|live", help="The API to read."
)
@_PLAN
@accepts_rejected
@reports
def backfill(usecase: str, home: str | None, as_json: bool, **options: Any) -> None:
    """Fetch a range of days again, as often as wanted.

    All records of the range are fetched. Those that are landed already, byte for byte, are left
    out, so that a second backfill lands what changed at the source in between.
    """
    _ingest(usecase, home, as_json, is_backfill=True, **options)


@click.command()
@click.argument("usecase", shell_complete=completion.usecases)
@click.option("--source", default="live", show_default=True, metavar="URL|PATH|live", help=_SOURCE)
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted; write nothing.")
@click.option(
    "--most-deleted",
    type=_Share(),
    metavar="SHARE|all",
    help="Largest share of silver's rows to delete; default the contract's source.most_deleted.",
)
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Most keys to name."
)
@reports
def reconcile(usecase: str, home: str | None, as_json: bool, source: str, **options: Any) -> None:
    """Delete what the source deleted: compare its keys with silver's.

    Rows whose key the source does not hold get a tombstone, which is landed and refined like every
    record. Exit code 3 if more than the allowed share of silver's rows would be deleted, or if the
    source sent fewer keys than it counts: nothing is deleted then.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows.reconcile import reconcile as run_reconcile

    place = _place(home, is_read_only=options["dry_run"])
    with Progress(account.SUMMARIES) as progress:
        document = run_reconcile(usecase, place, source, progress, **options)
    report(document, as_json, _print_reconciled)


def _ingest(
    usecase: str,
    home: str | None,
    as_json: bool,
    *,
    is_plan: bool,
    source: str,
    since: str | None,
    until: str | None,
    accept_rejected: bool,
    is_backfill: bool = False,
) -> None:
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows import ingest as workflow

    place = _place(home, is_read_only=is_plan)
    if is_plan:
        report(workflow.plan(usecase, place, source, since, until), as_json, _print_plan)
        return
    with Progress(account.SUMMARIES) as progress:
        work = workflow.backfill if is_backfill else workflow.ingest
        document = work(
            usecase, place, source, since, until, progress, accept_rejected=accept_rejected
        )
    report(document, as_json, account.print_ingest)


def _follow(
    usecase: str,
    home: str | None,
    as_json: bool,
    options: dict[str, Any],
    every_s: float,
    gate_every_s: float,
    health_port: int | None,
) -> None:
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows.follow import follow

    place = _place(home, is_read_only=False)
    with Progress(account.SUMMARIES, as_json_lines=as_json) as progress:
        document = follow(
            usecase,
            place,
            options["source"],
            every_s,
            progress,
            accept_rejected=options["accept_rejected"],
            gate_every_s=gate_every_s,
            health_port=health_port,
        )
    report(document, as_json, _print_followed)


def _print_followed(report: FollowReport) -> None:
    held = report.follow
    polls = "poll" if held.polls == 1 else "polls"
    say(f"stopped after {held.polls:,} {polls}: {held.rows:,} records in {held.batches:,} batches")
    if held.problem:
        say_wrapped(f"The last poll failed: {held.problem}")


def _place(home: str | None, *, is_read_only: bool) -> Home:
    from goldlake.workflows import homes

    return homes.choose(home).home if is_read_only else used_home(home, is_made=True)


def _print_plan(plan: IngestPlan) -> None:
    from goldlake.cli.commands.check import print_outlook
    from goldlake_core.storage.landing import describe_identity

    begins = plan.begins.value if plan.begins else "the start of the source"
    days = f"{plan.since or 'the first day'} to before {plan.until or 'the end'}"
    cells: list[tuple[Part, Part]] = [
        ("source", describe_identity(plan.identity)),
        ("address", plan.address),
        ("range", days) if plan.since or plan.until else ("begins at", begins),
    ]
    if plan.records is None or plan.pages is None:
        some = ", ".join(plan.parts[:3]) + (", …" if len(plan.parts) > 3 else "")
        cells.append(("parts", f"{len(plan.parts):,} to land" + (f": {some}" if some else "")))
    else:
        cells.append(
            ("to fetch", f"{_many(plan.records, 'record')} in {_many(plan.pages, 'page')}")
        )
    if plan.restored:
        cells.append(("to restore", _many(plan.restored, "lost or damaged page")))
    cells.append(("not refined", _many(plan.unrefined, "landed record")))
    if plan.bytes is not None and plan.free is not None:
        room = f"about {plan.bytes / 2**20:,.1f} MiB of {plan.free / 2**20:,.0f} MiB free"
        cells.append(("disk", room + ("" if plan.bytes <= plan.free else ": not enough")))
    say((f"What goldlake would do with {plan.usecase}", "bold"))
    say_all(aligned(cells, "ll", console().width))
    if plan.told:
        say_wrapped(f"  {plan.told}")
    print_outlook(plan.outlook)


def _print_reconciled(document: Reconciled) -> None:
    verb = "would be deleted" if document.dry_run else "deleted"
    say((f"{document.usecase}: {_many(document.deleted, 'row')} {verb}", "bold"))
    cells = [
        ("keys at the source", f"{document.source_keys:,}"),
        ("rows in silver before", f"{document.silver_rows:,}"),
    ]
    say_all(aligned(cells, "lr", console().width))
    if document.keys:
        more = document.deleted - len(document.keys)
        say_wrapped(f"  {'; '.join(document.keys)}" + (f"; and {more:,} more" if more else ""))
    if document.never_landed:
        say(f"At the source and never landed: {_many(document.never_landed, 'key')}")
    if document.returned:
        say(f"Deleted here and at the source again: {_many(document.returned, 'key')}")
    if document.never_landed or document.returned:
        say(f"Next: goldlake backfill {document.usecase} --since DAY --until DAY")
    if document.unreadable:
        say(f"Records at the source without a key: {document.unreadable:,}")


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
