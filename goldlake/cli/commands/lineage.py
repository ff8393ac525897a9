"""`goldlake lineage` and `goldlake diff`: where a model comes from, and what differs in two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from goldlake.cli import completion
from goldlake.cli.common import report, reports
from goldlake.cli.printing import say_wrapped
from goldlake_core.contracts.errors import UsageError

if TYPE_CHECKING:
    from goldlake_core.documents.lineage import ModelDiff, ModelLineage, Reach, TableLineage
    from goldlake_core.documents.reports import ReportWritten
    from goldlake_core.storage.home import Home

SUBJECTS = ("request", "page", "key", "reason")


@click.command()
@click.argument("name", metavar="MODEL[@V]|TABLE[@V]|USECASE", shell_complete=completion.versions)
@click.option("--request", metavar="ID", help="X-Request-Id of an answer of MODEL.")
@click.option("--request-log", metavar="FOLDER", help="Default: requests of the home.")
@click.option("--page", metavar="PAGE", help="Number, file, sha256 or URL of a page of USECASE.")
@click.option("--key", metavar="KEY", help="Key of a row of USECASE.")
@click.option("--reason", metavar="CODE", help="Reason code of the quarantine of USECASE.")
@click.option("--all", "is_all", is_flag=True, help="Show all pages, records and models.")
@click.option("--html", "is_html", is_flag=True, help="Write one HTML file.")
@click.option("--out", metavar="FILE", help="File for --html; default lineage-NAME.html here.")
@reports
def lineage(
    name: str,
    request: str | None,
    request_log: str | None,
    page: str | None,
    key: str | None,
    reason: str | None,
    is_all: bool,
    is_html: bool,
    out: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    r"""From an answer or a model back to the landed pages, and from these to the models.

    \b
    MODEL[@V]            rows, code, verdicts and pages that made it; default its newest version
    MODEL --request ID   the same for the version that gave an answer of the request log
    TABLE[@V]            the models that learned from it
    USECASE --page PAGE  the models that a landed page reached; so do --key and --reason

    Starts no JVM and no TensorFlow. What is not on record, it says.
    """
    from goldlake.workflows import homes

    asked = dict(zip(SUBJECTS, (request, page, key, reason), strict=True))
    given = [each for each, value in asked.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"--{' and --'.join(given)} are asked for", valid="one of them")
    chosen = homes.choose(home)
    document = _answer(name, asked, request_log, chosen.home, is_all)
    if is_html or out:
        from goldlake.workflows.report.lineage_page import written

        page_file = written(document, chosen.home, out)
        report(page_file, as_json, _print_written, chosen)
        return
    report(document, as_json, _print_lineage, chosen)


def _answer(
    name: str, asked: dict[str, str | None], request_log: str | None, home: Home, is_all: bool
) -> ModelLineage | TableLineage | Reach:
    from goldlake.workflows import lineage, reach, views
    from goldlake_core.contracts.ids import ModelId

    most = None if is_all else lineage.MOST_PAGES
    models = None if is_all else reach.MOST_MODELS
    if asked["request"] is not None:
        model = ModelId.parse(name)
        return lineage.of_request(model, asked["request"], home, folder=request_log, most=most)
    if asked["page"] is not None:
        return reach.of_page(name, asked["page"], home, models)
    if asked["key"] is not None:
        return reach.of_row(name, asked["key"], home, models)
    if asked["reason"] is not None:
        return reach.of_reason(name, asked["reason"], home, models)
    return views.lineage(home, name, most)


def _print_lineage(document: ModelLineage | TableLineage | Reach) -> None:
    from goldlake.cli.lineage_text import continued_at, lineage_text

    for line in lineage_text(document).split("\n"):
        say_wrapped(line, indent=continued_at(line))


def _print_written(document: ReportWritten) -> None:
    say_wrapped((document.subject, "bold"), f": {document.bytes / 1000:,.0f} kB")
    say_wrapped("Open ", document.file)


@click.command()
@click.argument("before", metavar="MODEL@A", shell_complete=completion.versions)
@click.argument("after", metavar="MODEL@B", shell_complete=completion.versions)
@click.option("--all", "is_all", is_flag=True, help="Show all slices.")
@reports
def diff(before: str, after: str, is_all: bool, home: str | None, as_json: bool) -> None:
    """What differs between two model versions: data, contract, code, metrics, slices.

    Starts no JVM and no TensorFlow.
    """
    from goldlake.workflows import diff as compared
    from goldlake.workflows import homes
    from goldlake_core.contracts.ids import ModelId

    chosen = homes.choose(home)
    most = None if is_all else compared.MOST_SLICES
    document = compared.diff(ModelId.parse(before), ModelId.parse(after), chosen.home, most)
    report(document, as_json, _print_diff, chosen)


def _print_diff(document: ModelDiff) -> None:
    from goldlake.cli.diff_text import diff_text

    for line in diff_text(document).split("\n"):
        say_wrapped(line)
