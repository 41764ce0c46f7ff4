"""The verbs that train: launch, resume, retrain."""

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from search.cli import options

SPACE_HELP = "A built-in space (hpsearch spaces), a .jsonl file of configurations, or package.module:function."


@click.command()
@click.option("--space", default="cnn_all", show_default=True, help=SPACE_HELP)
@click.option("--samples", type=options.Count(min=1), help="Trials to draw.  [default: 60, or the whole list]")
@click.option(
    "--epochs", type=options.Count(1, options.MOST_EPOCHS), default=30, show_default=True, help="ASHA's max_t."
)
@click.option("--dataset", default="cifar100", show_default=True, help="A known name, or the path of your own images.")
@options.data_dir
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
@options.storage
@click.option("--name", help="The search's name.  [default: space, dataset and time]")
@click.option("--submit", metavar="URL", help="Send the search to the Ray cluster with this dashboard, and leave.")
@click.option("--dry-run", is_flag=True, help="Only say what the search would be and cost.")
@options.results
def launch(
    samples: int | None,
    data_dir: Path,
    name: str | None,
    submit: str | None,
    dry_run: bool,
    results: Path,
    parallel: int | None,
    max_time: float | None,
    retries: int,
    trial_timeout: float,
    address: str | None,
    storage: str | None,
    **asked: Any,
) -> None:
    """Begin a search: draw configurations, train them, stop the worse ones early.

    \b
    hpsearch launch --space cnn_all --samples 60                  CIFAR-100, downloaded once
    hpsearch launch --samples 60 --dataset ~/pictures             a folder of class folders, or of Parquet files
    hpsearch launch --space best.jsonl --scheduler none           a list of configurations, each to its end
    hpsearch launch --samples 60 --dry-run                        what that would be and cost
    hpsearch launch --address 10.0.0.5:6379                       on a cluster that this machine is a node of
    hpsearch launch --submit http://HEAD:8265 --storage s3://bucket/searches      as a job there; look on with status
    """
    from search.history.store import Request, check_new
    from search.run.launch import default_name
    from search.run.launch import dry_run as calculate
    from search.run.launch import launch as begin
    from search.spaces.space import find_space

    if submit is not None and dry_run:
        raise options.Mistake("--dry-run measures this machine and --submit uses others; give one of them")
    if name is not None:
        check_new(results, name)  # before the images are read, which may take a download
    listed = len(find_space(asked["space"]).configs)
    if submit is None:
        asked["dataset"] = _dataset(asked["dataset"])
    request = Request(samples=samples or listed or 60, data_dir=str(data_dir.absolute()), **asked)
    if submit is not None:
        from search.run import job as job

        words = job.words(click.get_current_context())
        job.submit(submit, words, request, name or default_name(request), storage=storage, results=results)
        return
    if dry_run:
        from search.show.forecast import print_forecast

        print_forecast(request, calculate(request, results=results, parallel=parallel))
        return
    how = options.session_options(parallel, max_time, retries, trial_timeout, address)
    _finish(begin(request, how, results=results, name=name, storage=storage), results)


@click.command()
@options.search_argument
@click.option("--samples", type=options.Count(min=1), help="More trials than before.")
@click.option(
    "--until", type=options.Count(min=2), metavar="LINE", help="Go on from before this line of a damaged ledger."
)
@options.session
@options.storage
@options.results
def resume(
    search: str | None, samples: int | None, until: int | None, storage: str | None, results: Path, **how: Any
) -> None:
    """Continue a search where it was: after a kill, after Ctrl-C, or with more samples.

    \b
    hpsearch resume                         the newest search
    hpsearch resume my-search --samples 120
    hpsearch resume --storage s3://bucket/searches      on another machine, when the first one is gone
    """
    from search.history import ledger, store
    from search.run.launch import resume as go_on

    if until is not None:  # before the storage is asked, which gives no damaged ledger anything
        here = store.find(results, search)
        ledger.cut(here.ledger, until)
        search = here.name
    found = _take(search, storage, results)
    _finish(go_on(found, options.session_options(**how), samples=samples), results)


@click.command()
@options.search_argument
@click.option("--top", type=options.Count(min=1), default=3, show_default=True, help="Winners to train.")
@click.option("--distinct", is_flag=True, help="Winners of different network families.")
@click.option("--epochs", type=options.Count(1, options.MOST_EPOCHS), default=100, show_default=True)
@click.option("--repeats", type=options.Count(min=1), default=1, show_default=True, help="Seeds for each winner.")
@options.session
@options.storage
@options.as_json
@options.results
def retrain(
    search: str | None,
    top: int,
    distinct: bool,
    epochs: int,
    repeats: int,
    as_json: bool,
    storage: str | None,
    results: Path,
    **how: Any,
) -> None:
    """Train the winners from scratch on training and validation images, then test each once.

    The same command again continues what was interrupted, and shows the table when all is done.

    \b
    hpsearch retrain --top 3
    hpsearch retrain my-search --top 1 --epochs 200 --repeats 5
    """
    from search.history.load import read_search
    from search.run.retrain import retrain as train_winners
    from search.show.winners import print_retrains, retrain_report

    found = _take(search, storage, results)
    outcome, runs = train_winners(
        found, options.session_options(**how), top=top, distinct=distinct, epochs=epochs, repeats=repeats
    )
    if outcome.reason != "finished":
        _finish(outcome, results)
    loaded = read_search(results, found.name)
    keys = [run.key for run in runs]
    options.emit(retrain_report(loaded, keys)) if as_json else print_retrains(loaded, keys)
    if any(run.test is None for run in runs):
        sys.exit(1)


def _dataset(name: str) -> str:
    """A known name as it is, anything else as the absolute path of a folder."""
    from trainables.data.datasets import DATASETS

    if name in DATASETS:
        return name
    try:
        path = Path(name).expanduser().absolute()
        if name and path.is_dir():
            return str(path)
    except (OSError, RuntimeError):  # too long for a path; the home of a user who does not exist
        pass
    raise options.Mistake(f"a dataset is one of {', '.join(DATASETS)} or a folder that exists; '{name}' is neither")


def _take(name: str | None, storage: str | None, results: Path) -> Any:
    """A search to go on with: brought up to date from its storage, if it has one, once no other driver is alive."""
    from search.history import store
    from search.storage import takeover
    from search.storage.note import location_of

    found = None if storage is not None else store.find(results, name)
    place = location_of(found.folder) if found else storage
    if place is None:
        return found
    return store.find(results, takeover.take_over(place, found.name if found else name, results).name)


def _finish(outcome: Any, results: Path) -> None:
    """The closing words of a session, and its exit code."""
    from search.history.load import read_search
    from search.show import ranking

    name = outcome.search.name
    if outcome.reason == "finished":
        loaded = read_search(results, name)
        ranking.print_top(loaded, ranking.top(loaded, 3))
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
    if outcome.reason == "taken over":
        raise options.Mistake(f"{outcome.detail}, so this process has stopped; what is recorded there goes on")
    reason = outcome.reason if outcome.reason != "disk full" else f"paused, as a disk is full ({outcome.detail})"
    click.echo(f"{reason}; nothing recorded is lost. Continue with: {again}", err=True)
    sys.exit({"interrupted": 130, "out of time": 0}.get(outcome.reason, 1))


def _command(verb: str, name: str, results: Path) -> str:
    return shlex.join(["hpsearch", verb, name, *(["--results", str(results)] if str(results) != "results" else [])])
