"""The command `hpsearch`: a verb, then options. Everything heavy is imported when its verb is called."""

import json
import re
import shlex
import sys
import warnings
from pathlib import Path
from typing import Any

import click

from search import options

SPACE_HELP = "A built-in space (hpsearch spaces), a .jsonl file of configurations, or package.module:function."


class Mistake(click.ClickException):
    """A wrong request: one line on standard error and exit code 2."""

    exit_code = 2


class Verbs(click.Group):
    """Verbs in the order in which they are used, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in order of definition."""
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


@cli.command()
@click.option("--space", default="cnn_all", show_default=True, help=SPACE_HELP)
@click.option("--samples", type=options.Count(min=1), help="Trials to draw.  [default: 60, or the whole list]")
@click.option(
    "--epochs", type=options.Count(1, options.MOST_EPOCHS), default=30, show_default=True, help="ASHA's max_t."
)
@click.option("--dataset", default="cifar100", show_default=True, help="A known name, or the path of your own images.")
@click.option(
    "--data-dir",
    type=options.Folder(),
    default="~/.cache/hpsearch",
    envvar="HPSEARCH_DATA",
    show_default=True,
    show_envvar=True,
    help="Downloads and cache.",
)
@click.option("--limit-train", type=options.Count(min=2), help="Use a stratified subset of this many images.")
@click.option(
    "--image-size", type=options.Count(1, options.MOST_PIXELS), help="Resize every image to this many pixels a side."
)
@click.option(
    "--validation",
    type=options.Real(0, 1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of the training images held out to compare trials.",
)
@click.option(
    "--augment", type=click.Choice(["none", "flip-crop", "published"]), default="published", show_default=True
)
@click.option("--sampler", type=click.Choice(["random", "tpe"]), default="random", show_default=True)
@click.option("--scheduler", type=click.Choice(["asha", "none"]), default="asha", show_default=True)
@click.option("--seed", type=options.Count(min=0), default=0, show_default=True)
@options.session
@click.option("--name", help="The search's name.  [default: space, dataset and time]")
@click.option("--dry-run", is_flag=True, help="Only say what the search would be and cost.")
@options.results
def launch(
    samples: int | None,
    data_dir: Path,
    name: str | None,
    dry_run: bool,
    results: Path,
    parallel: int | None,
    max_time: float | None,
    retries: int,
    trial_timeout: float,
    address: str | None,
    **asked: Any,
) -> None:
    """Begin a search: draw configurations, train them, stop the worse ones early.

    \b
    hpsearch launch --space cnn_all --samples 60                  CIFAR-100, downloaded once
    hpsearch launch --samples 60 --dataset ~/pictures             a folder of class folders, or of Parquet files
    hpsearch launch --space best.jsonl --scheduler none           a list of configurations, each to its end
    hpsearch launch --samples 60 --dry-run                        what that would be and cost
    """
    from search.launch import dry_run as calculate
    from search.launch import launch as begin
    from search.spaces import find_space
    from search.store import Request, check_new

    if name is not None:
        check_new(results, name)  # before the images are read, which may take a download
    listed = len(find_space(asked["space"]).configs)
    asked["dataset"] = _dataset(asked["dataset"])
    request = Request(samples=samples or listed or 60, data_dir=str(data_dir.absolute()), **asked)
    if dry_run:
        from search.catalogue import print_forecast

        print_forecast(request, calculate(request, results=results, parallel=parallel))
        return
    how = options.session_options(parallel, max_time, retries, trial_timeout, address)
    _finish(begin(request, how, results=results, name=name), results)


def _dataset(name: str) -> str:
    """A known name as it is, anything else as the absolute path of a folder."""
    from trainables.datasets import DATASETS

    if name in DATASETS:
        return name
    try:
        path = Path(name).expanduser().absolute()
        if name and path.is_dir():
            return str(path)
    except (OSError, RuntimeError):  # too long for a path; the home of a user who does not exist
        pass
    raise Mistake(f"a dataset is one of {', '.join(DATASETS)} or a folder that exists; '{name}' is neither")


@cli.command()
@options.search_argument
@click.option("--samples", type=options.Count(min=1), help="More trials than before.")
@click.option(
    "--until", type=options.Count(min=2), metavar="LINE", help="Go on from before this line of a damaged ledger."
)
@options.session
@options.results
def resume(search: str | None, samples: int | None, until: int | None, results: Path, **how: Any) -> None:
    """Continue a search where it was: after a kill, after Ctrl-C, or with more samples.

    \b
    hpsearch resume                         the newest search
    hpsearch resume my-search --samples 120
    """
    from search import store
    from search.launch import resume as go_on

    found = store.find(results, search)
    _finish(go_on(found, options.session_options(**how), samples=samples, until=until), results)


@cli.command()
@options.search_argument
@options.as_json
@options.results
def status(search: str | None, as_json: bool, results: Path) -> None:
    """How far a search is, also while it runs.

    \b
    hpsearch status
    hpsearch status my-search --json
    """
    from search import show
    from search.reading import read_search

    found = show.status(read_search(results, search))
    _emit(found) if as_json else show.print_status(found)


@cli.command("list")
@options.as_json
@options.results
def list_searches(as_json: bool, results: Path) -> None:
    """All searches, oldest first.

    \b
    hpsearch list
    """
    from search import show, store
    from search.reading import read_search
    from search.terminal import print_rows

    rows = [show.summary(read_search(results, found.name)) for found in store.find_all(results)]
    _emit(rows) if as_json else print_rows(rows, f"no search in {results} yet; begin one with hpsearch launch")


@cli.command()
@options.search_argument
@click.option("--number", "-n", type=options.Count(min=1), help="Rows to show.  [default: 10, or all with --json]")
@click.option("--all", "everything", is_flag=True, help="Every trial, with its state and reason.")
@click.option("--distinct", is_flag=True, help="Only the best of each network family.")
@options.as_json
@options.results
def top(search: str | None, number: int | None, everything: bool, distinct: bool, as_json: bool, results: Path) -> None:
    """The best trials, by the best validation accuracy of each.

    \b
    hpsearch top
    hpsearch top my-search --distinct --json
    """
    from search import show
    from search.reading import read_search

    found = read_search(results, search)
    if number is None and not as_json:
        number = 10
    frame = show.top(found, None if everything else number, distinct=distinct, everything=everything)
    if as_json:
        click.echo(frame.to_json(orient="records"))
    else:
        show.print_top(found, frame, everything=everything)


@cli.command()
@options.search_argument
@click.option("--top", type=options.Count(min=1), default=3, show_default=True, help="Winners to train.")
@click.option("--distinct", is_flag=True, help="Winners of different network families.")
@click.option("--epochs", type=options.Count(1, options.MOST_EPOCHS), default=100, show_default=True)
@click.option("--repeats", type=options.Count(min=1), default=1, show_default=True, help="Seeds for each winner.")
@options.session
@options.as_json
@options.results
def retrain(
    search: str | None,
    top: int,
    distinct: bool,
    epochs: int,
    repeats: int,
    as_json: bool,
    results: Path,
    **how: Any,
) -> None:
    """Train the winners from scratch on training and validation images, then test each once.

    The same command again continues what was interrupted, and shows the table when all is done.

    \b
    hpsearch retrain --top 3
    hpsearch retrain my-search --top 1 --epochs 200 --repeats 5
    """
    from search import show, store
    from search.reading import read_search
    from search.retraining import retrain as train_winners

    found = store.find(results, search)
    outcome, runs = train_winners(
        found, options.session_options(**how), top=top, distinct=distinct, epochs=epochs, repeats=repeats
    )
    if outcome.reason != "finished":
        _finish(outcome, results)
    loaded = read_search(results, found.name)
    keys = [run.key for run in runs]
    _emit(show.retrain_report(loaded, keys)) if as_json else show.print_retrains(loaded, keys)
    if any(run.test is None for run in runs):
        sys.exit(1)


@cli.command()
@click.argument("name", required=False)
@options.as_json
def spaces(name: str | None, as_json: bool) -> None:
    """The spaces, or one space's parameters with their conditions and ranges.

    \b
    hpsearch spaces
    hpsearch spaces cnn_all
    """
    from search import catalogue
    from search.terminal import print_rows

    rows = catalogue.spaces() if name is None else catalogue.space(name)
    _emit(rows) if as_json else print_rows(rows, "")


@cli.command()
@click.argument("name", required=False)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a hyperparameter: --set width=0.5")
@click.option("--input", "input_shape", default="3x32x32", show_default=True, help="Image shape CxHxW.")
@click.option("--classes", type=options.Count(min=2), default=100, show_default=True)
@options.as_json
def networks(name: str | None, settings: tuple[str, ...], input_shape: str, classes: int, as_json: bool) -> None:
    """The network families, or one network layer by layer.

    \b
    hpsearch networks
    hpsearch networks cnn6 --set width=0.5 --input 1x16x16 --classes 10
    """
    from search import catalogue
    from search.terminal import print_rows

    shape = _shape(input_shape)
    if settings and name is None:
        raise Mistake(f"--set needs the network that it changes, such as hpsearch networks cnn6 --set {settings[0]}")
    try:
        if name is None:
            rows = catalogue.networks(shape, classes)
        else:
            rows = catalogue.network(name, dict(_setting(s) for s in settings), shape, classes)
    except (ValueError, TypeError) as error:
        raise Mistake(str(error)) from error
    _emit(rows) if as_json else print_rows(rows, "")


def _shape(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[1-9]\d{0,4}(x[1-9]\d{0,4}){2}", text.lower(), re.ASCII):
        raise Mistake(f"--input is CxHxW with three numbers from 1 to 99999, such as 3x32x32; got '{text}'")
    return tuple(int(part) for part in text.lower().split("x"))


def _setting(text: str) -> tuple[str, Any]:
    key, mark, value = text.partition("=")
    if not mark:
        raise Mistake(f"--set takes KEY=VALUE, such as width=0.5; got '{text}'")
    try:
        return key, json.loads(value)
    except (ValueError, RecursionError):  # not JSON, or too much of it: a plain word
        return key, value


def _emit(data: Any) -> None:
    click.echo(json.dumps(data, indent=1, default=str))


def _finish(outcome: Any, results: Path) -> None:
    """The closing words of a session, and its exit code."""
    from search import show
    from search.reading import read_search

    name = outcome.search.name
    if outcome.reason == "finished":
        loaded = read_search(results, name)
        show.print_top(loaded, show.top(loaded, 3))
        click.echo(f"next: {_command('top', name, results)}, {_command('retrain', name, results)} --top 3")
        if failed := sum(run.state == "failed" for run in loaded.record.trials):
            click.echo(
                f"{failed} of {len(loaded.record.trials)} trials failed: {_command('status', name, results)}", err=True
            )
            sys.exit(1)
        return
    again = shlex.join(["hpsearch", *sys.argv[1:]])
    if sys.argv[1] in ("launch", "resume"):
        again = _command("resume", name, results) + (f" --address {outcome.address}" if outcome.address else "")
    reason = outcome.reason if outcome.reason != "disk full" else f"paused, as a disk is full ({outcome.detail})"
    click.echo(f"{reason}; nothing recorded is lost. Continue with: {again}", err=True)
    sys.exit({"interrupted": 130, "out of time": 0}.get(outcome.reason, 1))


def _command(verb: str, name: str, results: Path) -> str:
    return shlex.join(["hpsearch", verb, name, *(["--results", str(results)] if str(results) != "results" else [])])


def main() -> None:
    """The entry point: errors are one line, whoever raised them."""
    warnings.showwarning = lambda message, *_: click.echo(f"hpsearch: warning: {message}", err=True)
    sys.path.append(str(Path.cwd()))  # a user's own space or network, as package.module:function
    try:
        code = cli.main(prog_name="hpsearch", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 0
    except click.ClickException as error:
        _complain(error.format_message() + _hint(error))
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; nothing recorded is lost", err=True)
        code = 130
    except ValueError as error:
        if not _is_ours(error):
            raise
        _complain(str(error))
        code = getattr(error, "exit_code", 2)
    except OSError as error:  # a disk that is full, a file that may not be read
        _complain(str(error))
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _complain(message: str) -> None:
    """One line, also when it quotes something that has several."""
    click.echo(f"hpsearch: {' '.join(message.split())}", err=True)


def _hint(error: click.ClickException) -> str:
    """What click does not say itself: the verbs there are, or where the options are listed."""
    if isinstance(error, click.exceptions.NoSuchCommand):
        return f" The verbs are {', '.join(cli.commands)}."
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f" See {context.command_path} --help" if context else ""


def _is_ours(error: ValueError) -> bool:
    """Whether an error is one of the named ones, whose message is for people."""
    return type(error).__module__.split(".")[0] in ("architectures", "trainables", "search")
