"""What a command ends with, and the one line on standard error that says why: the same for every command.

==== ==========================================================
0    done; what was measured passes
1    what was measured does not pass
2    wrong usage, a file that cannot be used, or a missing extra
3    nothing could be decided
4    the run itself failed, or an error that nobody foresaw
130  interrupted (SIGINT)
141  the reader of the output went away (SIGPIPE)
==== ==========================================================
"""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from web_terminal_suite.cli.streams import INTERRUPTED, OutputFailed, ReaderGone

if TYPE_CHECKING:
    from collections.abc import Iterator

USAGE: Final = 2
RUN_FAILED: Final = 4

PROGRAM: Final = "web-terminal"

DEBUG_VARIABLE: Final = "WEB_TERMINAL_DEBUG"
"""Set to anything, it has the traceback of an error printed before the line."""

_RUNS_EXTENSIONS: Final = ("bench", "load")
"""Commands in which code of others runs; ``serve`` and ``attach`` end with a ``SystemExit`` of their own."""

_EXTRA: Final = ("numpy", "scipy", "psutil")
"""What the extra ``bench`` installs; everything else a command needs is always there."""


class Failure(click.ClickException):
    """A command that ends with a line on standard error."""

    def __init__(self, text: str, status: int = USAGE, command: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.command = command


def fail(text: str, status: int = USAGE) -> NoReturn:
    """End the command with a line on standard error."""
    raise Failure(text, status)


@contextmanager
def run_failed() -> Iterator[None]:
    """End the command with 4 at an error in the block: what was measured cannot be shown or kept."""
    from web_terminal_suite.bench.errors import BenchError, RunFailed

    try:
        yield
    except (BenchError, OutputFailed) as error:
        raise RunFailed(str(error)) from error
    except OSError as error:
        raise RunFailed(_fault(error)) from error


class Subcommand(click.Command):
    """A subcommand whose errors are one line and a status."""

    def invoke(self, ctx: click.Context) -> Any:
        with _explained(_name(ctx)):
            return super().invoke(ctx)

    def main(self, *args: Any, **options: Any) -> Any:
        return _main(super().main, *args, **options)


class Program(click.Group):
    """A group of such subcommands."""

    def invoke(self, ctx: click.Context) -> Any:
        with _explained(_name(ctx)):
            return super().invoke(ctx)

    def main(self, *args: Any, **options: Any) -> Any:
        return _main(super().main, *args, **options)


def end(error: Exception, command: str) -> NoReturn:
    """End the program with the line and the status of an error."""
    text, status = _explanation(error)
    say(text, command)
    sys.exit(status)


def _explanation(error: Exception) -> tuple[str, int]:
    """The line that says what happened, and the status that goes with it."""
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    from web_terminal_suite.bench.errors import BenchError, RunFailed

    if isinstance(error, RunFailed):
        return str(error), RUN_FAILED
    if isinstance(error, (BenchError, OutputFailed)):
        return str(error), USAGE
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in _EXTRA:
        return f"needs {error.name}; pip install 'web-terminal-suite[bench]'", USAGE
    if isinstance(error, OSError):
        return _fault(error), USAGE
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"unforeseen error: {what}; {DEBUG_VARIABLE}=1 shows where", RUN_FAILED


def say(text: str, command: str = "") -> None:
    """Print a line on standard error; nothing in it reaches the terminal but what can be seen."""
    from web_terminal_suite.bench.printable import printable

    head = f"{PROGRAM} {command}" if command else PROGRAM
    print(f"{head}: {printable(' '.join(text.split()))}", file=sys.stderr, flush=True)


def _left_by(error: SystemExit) -> str:
    """Where an extension ended the program: its status would be taken for a verdict."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{place.filename}:{place.lineno}: SystemExit: {error.code}; an extension must not end the program"


@contextmanager
def _explained(command: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None
    except Failure as error:
        error.command = error.command or command
        raise
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except SystemExit as error:
        if command not in _RUNS_EXTENSIONS or isinstance(error, ReaderGone):
            raise
        raise Failure(_left_by(error), RUN_FAILED, command) from error
    except Exception as error:
        raise Failure(*_explanation(error), command) from error


def _main(command: Any, *args: Any, standalone_mode: bool = True, **options: Any) -> Any:
    """``click.Command.main``, with our line where an error ends the command."""
    if not standalone_mode:
        return command(*args, standalone_mode=False, **options)
    try:
        status = command(*args, standalone_mode=False, **options)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except Failure as error:
        say(error.message, error.command)
        sys.exit(error.status)
    except click.ClickException as error:
        ctx = getattr(error, "ctx", None)
        text = error.format_message().rstrip(".").replace(". (Did you", "; (did you")
        say(f"{text[:1].lower()}{text[1:]}", _name(ctx) if ctx else "")
        sys.exit(USAGE)
    except click.Abort:
        sys.exit(INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)


def _name(ctx: click.Context) -> str:
    """The subcommand, with the group it is in; empty for the program itself."""
    names: list[str] = []
    above: click.Context | None = ctx
    while above is not None and above.parent is not None:
        names.insert(0, above.command.name or "")
        above = above.parent
    return " ".join(names) if names or isinstance(ctx.command, click.Group) else ctx.command.name or ""


def _fault(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason
