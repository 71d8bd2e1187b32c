"""The `weft` command: loads the subcommand that is asked for, turns weft's errors into one line and an exit code."""

from __future__ import annotations

import inspect
import logging
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from weft import __version__
from weft.commands import terminal
from weft.tracking.errors import Error, UsageError
from weft.tracking.settings import Settings

_COMMANDS = {
    "demo": ("weft.demo.command", "demo"),
    "ui": ("weft.commands.ui", "ui"),
    "ingest": ("weft.commands.ingest", "ingest"),
    "eval": ("weft.commands.eval", "app"),
    "traces": ("weft.commands.traces", "app"),
    "runs": ("weft.commands.runs", "app"),
    "artifacts": ("weft.commands.artifacts", "app"),
    "registry": ("weft.commands.registry", "app"),
    "sql": ("weft.commands.sql", "sql"),
    "rm": ("weft.commands.rm", "rm"),
    "prices": ("weft.commands.prices", "app"),
    "doctor": ("weft.commands.doctor", "doctor"),
}
"""Where each subcommand lives: a function, or a Typer of its own. In the order of `weft --help`."""


class _Lazy(TyperGroup):
    """Imports a subcommand when it is asked for: `weft traces ls` must not pay for the evaluations or the app."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            single.command(cmd_name)(found)
            found = single
        command = typer.main.get_command(found)
        command.name = cmd_name
        _tidy(command, ctx)
        return command

    def get_params(self, ctx: Any) -> list[Any]:
        return _untyped(super().get_params(ctx))


def _tidy(command: Any, ctx: Any) -> None:
    """Help as it is meant: paragraphs flow, and a flag, which takes no value, shows no type beside it."""
    for inner in getattr(command, "commands", {}).values():
        _tidy(inner, ctx)
    if command.help:
        paragraphs = inspect.cleandoc(command.help).split("\n\n")
        command.help = "\n\n".join(" ".join(part.split("\n")) for part in paragraphs)
    _untyped([*command.params, command.get_help_option(ctx)])


def _untyped(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
    return params


app = typer.Typer(
    cls=_Lazy,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="One thread through an LLM app, its evaluations and its training runs. Local: no account, no key, no network.",
    epilog="WEFT_HOME (default ~/.weft) says where everything is kept. Every listing has --json.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"weft {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def main() -> None:
    """Run the command line and exit."""
    terminal.adapt()
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    # What typer says of a wrong call (an unknown option, a number out of range) ends with 2, which here means that
    # not all was done. Its class for that has no public name.
    typer.BadParameter.__mro__[1].exit_code = terminal.USAGE  # type: ignore[attr-defined]
    try:
        Settings.resolve()  # a mistyped variable ends a command, where it would end no program that records
        app()
    except UsageError as error:
        terminal.fail(error, terminal.USAGE)
    except Error as error:
        terminal.fail(error)
    except BrokenPipeError:
        # The reader (head, less) has gone: nobody is left to tell, and Python must not complain at exit either.
        sys.stderr.close()
        sys.exit(terminal.FAILURE)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        terminal.fail(f"weft could not go on: {error.strerror or error}{where}. `weft doctor` says more")


if __name__ == "__main__":
    main()
