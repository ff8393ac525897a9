"""`goldlake completion`: the script that makes a shell complete goldlake's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from goldlake.cli.common import report_errors

VARIABLE = "_GOLDLAKE_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@report_errors
def completion(shell: str) -> None:
    """Print the script that completes commands, options, use cases, models and versions.

    \b
    bash:  goldlake completion bash > ~/.local/share/bash-completion/completions/goldlake
    zsh:   goldlake completion zsh > ~/.zfunc/_goldlake     (with ~/.zfunc on fpath)
    fish:  goldlake completion fish > ~/.config/fish/completions/goldlake.fish
    """  # noqa: D301
    from goldlake.cli.main import main

    kind = get_completion_class(shell)
    assert kind is not None, "click knows the three shells"
    click.echo(kind(main, {}, "goldlake", VARIABLE).source())
