"""`goldlake source`: the use case's API, embedded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from goldlake.cli import completion, printing
from goldlake.cli.common import json_option, report_errors


@click.command()
@click.argument("usecase", shell_complete=completion.usecases)
@click.option(
    "--data",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Replay this export (.csv, .csv.gz, .json, .jsonl; repeatable).",
)
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    help="Rows to generate.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of the generated rows.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--faults", metavar="SPEC", help="Such as 429:0.1,500:0.05,202:0.05,cut:0.02.")
@click.option("--speed", type=float, help="Play time forward: seconds of data per second.")
@click.option("--start", metavar="T", help="Instant at which time begins, ISO 8601 (with --speed).")
@json_option
@report_errors
def source(usecase: str, data: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Serve the use case's API on loopback, from real exports or generated rows."""
    from goldlake_core.contracts.registry import load_usecase
    from goldlake_core.documents.reports import SourceAddress
    from goldlake_simulators import server as simulator

    def ready(url: str) -> None:
        if as_json:
            printing.say_json(SourceAddress(url=url), indent=None)
        else:
            what = ", ".join(str(file) for file in data) or (
                f"{options['rows']:,} generated rows, seed {options['seed']}"
            )
            printing.say(f"{usecase} at {url} ({what}). Stop with Ctrl-C.")
            printing.say(f"Next: goldlake ingest {usecase} --source {url}")

    simulator.serve(
        load_usecase(usecase),
        data=list(data),
        on_ready=ready,
        warn=lambda message: printing.say(f"warning: {message}", is_error=True),
        **options,
    )
