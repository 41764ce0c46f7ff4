"""The command `hpsearch`: a verb, then options. Everything heavy is imported when its verb is called."""

import io
import os
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import click

from architectures.errors import HpsearchError
from search.cli import showing, training


class Verbs(click.Group):
    """Verbs in the order in which they are used, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in order of addition."""
        return list(self.commands)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hpsearch")
def cli() -> None:
    """Search hyperparameters of image classifiers, and know how good the winners are.

    \b
    hpsearch launch --dataset digits --samples 20 --epochs 8   a first search, nothing to download
    hpsearch top                                               its best trials
    hpsearch retrain --top 3 --epochs 10                       the winners, trained on everything, tested once
    """


for verb in (
    training.launch,
    training.resume,
    showing.status,
    showing.list_searches,
    showing.top,
    training.retrain,
    showing.spaces,
    showing.networks,
    showing.doctor,
):
    cli.add_command(verb)


def main() -> None:
    """The entry point: errors are one line, whoever raised them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no ×, a name that is no text
    warnings.showwarning = lambda message, *_: click.echo(f"hpsearch: warning: {message}", err=True)
    sys.path.append(str(Path.cwd()))  # a user's own space or network, as package.module:function
    try:
        code = cli.main(prog_name="hpsearch", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 0
    except click.ClickException as error:
        _complain(error.format_message() + _hint(error))
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; nothing recorded is lost", err=True)
        code = 130
    except HpsearchError as error:
        _complain(str(error))
        code = error.exit_code
    except OSError as error:  # a disk that is full, a file that may not be read
        _complain(str(error))
        code = 1
        _drop_output()
    sys.exit(code if isinstance(code, int) else 0)


def _drop_output() -> None:
    """What standard output did not take would be tried again at the end, with a traceback."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str) -> None:
    """One line, also when it quotes something that has several."""
    click.echo(f"hpsearch: {' '.join(message.split())}", err=True)


def _hint(error: click.ClickException) -> str:
    """What click does not say itself: the verbs there are, or where the options are listed."""
    if isinstance(error, click.exceptions.NoSuchCommand):
        return f" The verbs are {', '.join(cli.commands)}."
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f" See {context.command_path} --help" if context else ""
