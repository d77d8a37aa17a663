"""The command line: one file per command, imported when that command is called."""

from __future__ import annotations

import importlib
import shlex
import sys
import warnings

import click

from .. import __version__
from ..contract.errors import RequestError, RunPaused, StorageError, printable
from ..contract.files import DISK_IS_FULL

COMMANDS = {
    "run": "Train, diagnose and compare the methods of a suite.",
    "report": "Rebuild the report of a finished run, or of several that agree.",
    "compare": "Say whether a run, or a method, is better than an older one.",
    "evaluate": "Score samples that were not made here against real ones.",
    "diagnose": "Diagnose a stored run again, or the log of another program.",
    "score": "Score diagnoses against the ground truth of a run of `failures`.",
    "treat": "Try remedies on the failed trials of a run.",
    "list": "List components: what a suite can name, with options and defaults.",
    "check": "Check the contract of components, a plugin file or a distribution.",
    "plugins": "List where components come from, and plugins that failed to load.",
    "new-plugin": "Write a plugin project, ready to install, check and test.",
}

ALLOCATION = "can't allocate memory"  # in what torch raises for want of it
PAUSED = 75  # EX_TEMPFAIL of sysexits.h: the same command goes on


class _LazyGroup(click.Group):
    """Knows its commands by name and summary, and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f".{name.replace('-', '_')}", __name__)
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ganbench")
def cli() -> None:
    """Benchmark, diagnose and compare generative adversarial networks over training seeds."""


def main() -> None:
    """Run a command.

    Exit code 0: carried out; 1: some trial failed; 2: the request is wrong; 75: paused, by SIGTERM or at the end of its
    minutes (EX_TEMPFAIL: to be tried again); 130: interrupted.
    """
    warnings.showwarning = _show_warning
    try:
        code = cli.main(standalone_mode=False)
    except RequestError as error:
        _fail(str(error), 2)
    except StorageError as error:
        _fail(str(error), 1)
    except RunPaused as paused:
        _fail(f"{paused}. Continue with: {shlex.join(['ganbench', *sys.argv[1:]])}", PAUSED)
    except click.exceptions.Abort:
        _fail("interrupted", 130)
    except click.ClickException as error:
        _fail(error.format_message(), 2)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except BrokenPipeError:  # a reader such as `head` that has read enough
        sys.stderr.close()
        sys.exit(1)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and ALLOCATION not in str(error):
            raise
        _fail("the memory does not suffice: give fewer or smaller samples, a smaller batch, or fewer --workers", 1)
    except OSError as error:
        if error.errno in DISK_IS_FULL:
            where = error.filename or "standard output, or a file,"
            _fail(printable(f"{where} cannot be written: {error.strerror}; make room and try again"), 1)
        if not error.filename:
            raise
        _fail(printable(f"{error.filename} cannot be read or written: {error.strerror}"), 2)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> None:
    print(f"ganbench: {message}", file=sys.stderr)  # noqa: T201
    sys.exit(code)


def _show_warning(message: object, category: type[Warning], *place: object, **_: object) -> None:
    """Print a warning as one line: where in our code it was raised is of no use to a user."""
    click.echo(f"ganbench: warning: {' '.join(str(message).split())}", err=True)
