"""`goldlake ui`: the web app."""

from __future__ import annotations

from typing import Any

import click

from goldlake.cli.common import home_option, report_errors
from goldlake.cli.printing import say, say_wrapped
from goldlake_core.contracts.errors import PermanentError


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8600, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--read-only", "is_read_only", is_flag=True, help="Show everything, start nothing.")
@click.option(
    "--token-file",
    metavar="F",
    help="A token in each line; who signs in brings one of them. Beyond loopback one is made and "
    "shown once where there is no file.",
)
@click.option("--tls-cert", metavar="F", help="Chain in PEM: HTTPS.")
@click.option("--tls-key", metavar="F", help="Its private key in PEM.")
@home_option
@report_errors
def ui(home: str | None, **options: Any) -> None:
    """Show a home in the browser, and start work there: the web app, until Ctrl-C.

    Jobs that are started in it go on when it ends.
    """
    from goldlake.workflows import homes

    try:
        from goldlake.ui.serve import Options, run
    except ModuleNotFoundError as error:
        raise PermanentError(
            f"The web app needs the package {error.name}", hint="pip install 'goldlake[ui]'"
        ) from error
    chosen = homes.choose(home)

    def ready(address: str, token: str | None) -> None:
        say((chosen.heading, "dim"))
        say(f"The web app answers at {address}. Stop with Ctrl-C.")
        if token is not None:
            say_wrapped(f"Sign in with this token, which is shown only once: {token}")
            if address.startswith("http:"):
                say_wrapped("Without --tls-cert the token and the data travel unencrypted.")

    run(chosen.home, Options(**options), ready)
