"""Entry point of the `goldlake` command. Imports click only, so that `--help` is quick."""

from __future__ import annotations

import importlib

import click

from goldlake import __version__

# Command -> module of goldlake.cli.commands that defines it as a function of the same name.
COMMANDS = {
    "init": "init",
    "check": "check",
    "run": "run",
    "source": "source",
    "ingest": "ingest",
    "backfill": "ingest",
    "rebuild": "data",
    "reconcile": "ingest",
    "maintain": "maintain",
    "restore": "maintain",
    "quarantine": "quarantine",
    "history": "history",
    "tables": "data",
    "show": "show",
    "export": "data",
    "validate": "validate",
    "accept": "validate",
    "train": "models",
    "retrain": "monitor",
    "monitor": "monitor",
    "reproduce": "reproduce",
    "tune": "tune",
    "compile": "compile",
    "models": "models",
    "promote": "models",
    "rollback": "models",
    "serve": "serving",
    "predict": "predict",
    "score": "score",
    "conformance": "conformance",
    "lineage": "lineage",
    "diff": "lineage",
    "report": "report",
    "tensorboard": "review",
    "ui": "ui",
    "backup": "backup",
    "erase": "erase",
    "doctor": "doctor",
    "test": "examples",
    "completion": "completion",
}


class LazyCommands(click.Group):
    """A group whose commands are imported when they are asked for, in the order of COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"goldlake.cli.commands.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="goldlake")
def main() -> None:
    """Public data through a lakehouse to a served model.

    USECASE is the name of a use case or the path of its folder. MODEL is USECASE.NAME (with a path:
    PATH:NAME), and MODEL@7 its version 7.

    Exit codes: 0 done; 1 an error; 2 wrong usage or a contract that does not hold; 3 it worked and
    a gate said no; 130 and 143 interrupted.
    """


if __name__ == "__main__":
    main()
