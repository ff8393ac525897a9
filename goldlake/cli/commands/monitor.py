"""The commands that close the loop: monitor, retrain."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from goldlake.cli import completion
from goldlake.cli.common import report, reports, used_home
from goldlake.cli.printing import Part, aligned, console, say, say_all, say_wrapped

if TYPE_CHECKING:
    from goldlake_core.documents.gate import PeriodVerdict
    from goldlake_core.documents.monitoring import MonitorReport, RetrainReport
    from goldlake_core.documents.training import SliceReport

MOST_WEEKS, MOST_SLICES, MOST_VALUES = 8, 6, 6
FOLDER = click.option(
    "--request-log",
    "folder",
    metavar="FOLDER",
    help="Folder of the request log, where the server was given another one than the home's.",
)


@click.command()
@click.argument("model", metavar="MODEL[@V]", shell_complete=completion.versions)
@FOLDER
@reports
def monitor(model: str, folder: str | None, home: str | None, as_json: bool) -> None:
    """Show what logged requests say of the version that serves: metrics, calibration, drift.

    Answers are compared with the labels that came to be known since, by the record key of the
    request. Requests are compared with the rows that the model learned from, as `validate` compares
    periods. Tables are only read. Exit code 3: something is beyond a limit.
    """
    from goldlake.workflows import homes
    from goldlake.workflows.monitor import monitor as look
    from goldlake_core.contracts.errors import GateRefused

    chosen = homes.choose(home)
    document = look(model, chosen.home, folder)
    report(document, as_json, _print, chosen)
    if document.alarms:
        raise GateRefused(f"{document.model}: {'; '.join(document.alarms)}")


@click.command()
@click.argument("model", shell_complete=completion.models)
@click.option(
    "--if",
    "conditions",
    required=True,
    metavar="CONDITIONS",
    help='Any of them is enough, such as "rows>=5000, age>=30d, drift, metric:auc[28d]<0.88".',
)
@click.option("--promote", "is_promoted", is_flag=True, help="Let a blessed version serve.")
@click.option(
    "--again", "is_again", is_flag=True, help="Also where a candidate of the same data was refused."
)
@FOLDER
@reports
def retrain(
    model: str,
    conditions: str,
    is_promoted: bool,
    is_again: bool,
    folder: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Train MODEL again when it is due, and compare it with the version that serves.

    rows and age say how much more, and how much newer, the gold table is than what the newest
    version learned from. drift and metric are what `monitor` finds; metric:auc[28d] is about the
    records of the newest 28 days whose labels are ripe. A model without a version is always due,
    and so is one whose retraining was cut off. Where a candidate was refused, none is trained from
    the same data again. The reason goes on record in ML Metadata. Exit code 3: the new model is
    refused.
    """
    from goldlake.cli import account
    from goldlake.cli.progress import Progress
    from goldlake.workflows.retrain import retrain as train_if

    with Progress(account.SUMMARIES) as progress:
        document = train_if(
            model,
            used_home(home),
            conditions,
            progress,
            is_promoted=is_promoted,
            is_again=is_again,
            folder=folder,
        )
    report(document, as_json, _print_retraining)
    sys.exit(3 if document.outcome == "refused" or document.unconfirmed else 0)


def _print_retraining(found: RetrainReport) -> None:
    from goldlake.cli import account

    say((found.model, "bold"))
    words = {True: ("holds", "yellow"), False: ("no", "dim"), None: ("not judged", "dim")}
    wide = max((len(each.text) for each in found.conditions), default=0)
    most = max(len(words[each.holds][0]) for each in found.conditions)
    for each in found.conditions:
        word, style = words[each.holds]
        say_wrapped(f"  {each.text:<{wide}}  ", (f"{word:<{most}}", style), f"  {each.found}")
    if (before := found.refused_before) is not None:
        say_wrapped(f"Due, because: {found.reason}")
        say_wrapped(
            f"Not trained again: a candidate of the same rows ({before.table}) was refused at "
            f"{before.at} (run {before.run_id}): {before.why}"
        )
        say("New rows or another contract make it due again, and so does --again.")
        return
    if found.train is None:
        say("Nothing is due.")
        return
    say_wrapped(f"Trained, because: {found.reason}")
    account.print_training(found.train)
    if found.promoted is not None:
        say(f"{found.model}@{found.promoted} serves now")
    elif found.outcome == "blessed" and found.train.train.model_version != found.served:
        version = found.train.train.model_version
        say(f"It does not serve yet: goldlake promote {found.model}@{version} --label stable")
    for problem in found.unconfirmed:
        say_wrapped((f"not confirmed: {problem}", "red"))


def _print(found: MonitorReport) -> None:
    log, labels = found.log, found.labels
    say((found.model, "bold"), f": {log.lines:,} answers in {log.files} files of {log.folder}")
    if log.first_at:
        say((f"from {log.first_at} to {log.last_at}", "dim"))
    rest = {
        "of other versions": log.others,
        "refused": log.refused,
        "damaged": log.damaged,
        "without a record key": labels.without_key,
        "without a row in gold": labels.unknown,
        "whose label is not ripe": labels.unripe,
        "asked again": labels.repeated,
        "without the outputs": labels.unusable,
    }
    told = ", ".join(f"{count:,} {what}" for what, count in rest.items() if count)
    if told:
        say_wrapped((f"not scored: {told}", "dim"))
    if log.is_cut:
        say("Older lines were not read.")
    if found.total is not None:
        _print_metrics(found)
    for period in found.drift:
        _print_drift(period, found.learned or "")
    if found.unjudged:
        say("")
        say(("Not judged", "bold"))
        for each in found.unjudged:
            say_wrapped(f"  {each.what}: {each.why}")


def _print_metrics(found: MonitorReport) -> None:
    assert found.total is not None
    names = [name for name in found.total.metrics if name != "example_count"][:4]
    say("")
    say((f"Answers beside the labels of {found.table}", "bold"))
    rows: list[tuple[Part, ...]] = [("", "answers", *names)]
    tested = [_figure(found.tested.get(name)) for name in names]
    rows.append(("on its test split", _figure(found.tested.get("example_count"), 0), *tested))
    rows.append(_metrics_row("live", found.total, names))
    weeks = found.weeks[-MOST_WEEKS:]
    rows += [_metrics_row(f"  {each.slice['week']}", each, names) for each in weeks]
    judged = [each for each in found.slices if each.is_judged] or list(found.slices)
    by = names[0]
    judged.sort(key=lambda each: each.metrics[by] or 0.0)
    for each in judged[:MOST_SLICES]:
        label = ", ".join(f"{name}={value}" for name, value in each.slice.items())
        rows.append(_metrics_row(f"  {label}", each, names))
    say_all(aligned(rows, "l" + "r" * (len(names) + 1), console().width))
    hidden = len(found.weeks) - len(weeks) + max(0, len(found.slices) - MOST_SLICES)
    if hidden:
        say((f"  and {hidden:,} more weeks and slices: --json", "dim"))
    for bound in found.bounds:
        sign = "at least" if bound.kind == "minimum" else "at most"
        word: Part = ("kept", "green") if bound.ok else ("broken", "bold red")
        say(f"  {bound.metric} {sign} {bound.bound:g}: ", word)
    if found.calibration:
        say("  probability and outcome by tenths of the rows:")
        pairs = [f"{b.predicted:.2f} {b.observed.value:.2f}" for b in found.calibration]
        say_wrapped(f"    {' | '.join(pairs)}")


def _metrics_row(label: str, found: SliceReport, names: list[str]) -> tuple[Part, ...]:
    return (label, f"{found.rows:,}", *(_figure(found.metrics.get(name)) for name in names))


def _figure(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _print_drift(period: PeriodVerdict, learned: str) -> None:
    beyond = [each for each in period.values if each.is_beyond]
    word: Part = ("drift", "bold red") if beyond else ("as the model learned", "green")
    if not period.values:
        word = ("not judged", "dim")
    say("")
    say((f"Requests of {period.period} beside {learned}", "bold"), f": {period.rows:,}, ", word)
    rows: list[tuple[str, ...]] = [("value", "limit", "strain", "statistic", "of")]
    for value in period.values[:MOST_VALUES]:
        low = "" if value.low is None else f"{value.low:.4g} to "
        strain = "-" if value.strain > 1000 else f"{value.strain:.2f}"
        about = " x ".join(value.columns)
        detail = f": {value.detail}" if value.detail else ""
        limit = f"{low}{value.high:.4g}"
        rows.append((f"{value.value:.4g}", limit, strain, value.statistic, about + detail))
    if period.values:
        say_all(aligned(rows, "rrrll", console().width))
