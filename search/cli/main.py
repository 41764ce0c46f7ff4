"""The command `hpsearch`: a subcommand, then options. Everything heavy is imported when its subcommand is called."""

import io
import sys
import warnings

import click

from architectures.errors import HpsearchError, one_line
from search.cli import (
    catalogue,
    datasets,
    ending,
    following,
    launching,
    looking,
    machines,
    options,
    reporting,
    retraining,
    serving,
    streams,
    studying,
    using,
)


class Verbs(click.Group):
    """Lists the subcommands in the order in which they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The subcommands as they were added."""
        return list(self.commands)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hpsearch")
def cli() -> None:
    """Search hyperparameters of image classifiers, then retrain and test the winners.

    \b
    hpsearch launch --dataset digits --samples 20 --epochs 8 --augment none   a first search, no download
    hpsearch top                                                              its best trials
    hpsearch retrain --top 3 --epochs 10                                      retrain the winners, test each once
    """


for verb in (
    launching.launch,
    launching.resume,
    looking.status,
    looking.list_searches,
    looking.top,
    studying.answer,
    retraining.retrain,
    using.predict,
    using.export,
    reporting.report,
    serving.serve,
    following.follow,
    ending.stop,
    ending.delete,
    catalogue.spaces,
    catalogue.networks,
    datasets.dataset,
    machines.doctor,
):
    cli.add_command(verb)


def main() -> None:
    """The entry point: errors are one line, wherever they were raised."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=streams.ESCAPED)  # a terminal without ×, a file name that is not UTF-8
    with streams.kept():
        code = _run()
    sys.exit(code)


def _run() -> int:
    """Run the subcommand that the command line names; returns the exit code."""
    warnings.showwarning = lambda message, *_: click.echo(f"hpsearch: warning: {message}", err=True)
    try:
        options.find_own_code()
        try:
            code = cli.main(prog_name="hpsearch", standalone_mode=False)
        except SystemExit as end:  # a subcommand has shown what failed
            code = end.code
        sys.stdout.flush()
    except (click.ClickException, click.Abort, KeyboardInterrupt, HpsearchError, OSError) as error:
        return _explain(error)
    return code if isinstance(code, int) else 0


def _explain(error: BaseException) -> int:
    """Print one line for people, whatever was raised; returns the exit code."""
    match error:
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.format_message())
            return 0
        case click.Abort() | KeyboardInterrupt():
            click.echo("interrupted; nothing recorded is lost", err=True)
            return 130
        case click.ClickException():
            message, code = " ".join((error.format_message() + _hint(error)).split()), error.exit_code
        case HpsearchError():
            message, code = one_line(error), error.exit_code
        case _:  # an OSError: a full disk, a file that may not be read
            message, code = one_line(error), 1
            streams.discard(sys.stdout)  # else Python writes the rest at exit, and ends in a traceback
    click.echo(f"hpsearch: {message}", err=True)
    return code


def _hint(error: click.ClickException) -> str:
    """What click's message leaves out: its full stop, and the known subcommands or where the options are listed."""
    if isinstance(error, click.exceptions.NoSuchCommand):
        return f" The commands are {', '.join(cli.commands)}."
    context = error.ctx if isinstance(error, click.UsageError) else None
    stop = "" if error.format_message().rstrip().endswith((".", "?")) else "."
    return f"{stop} See {context.command_path} --help" if context else ""
