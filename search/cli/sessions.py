"""What the commands that train share: how a session runs, which search it continues, and its final output."""

import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from search.cli import options
from search.cli.types import MOST_SLOTS, Count, Minutes, OptionError
from search.follow import SINKS
from search.machines import debugging
from search.readable import command_line, count
from search.run.engines import ENGINES


@dataclass
class Call:
    """A command that is called from Python, as the object of its context."""

    arguments: Sequence[str]
    """Its command line, without `hpsearch`."""
    search: tuple[Path, str] | None = None
    """The folder and name of the search that it worked on."""


def session_options(verb: Any) -> Any:
    """Options for how a session runs and how much it prints, named as the fields of `search.run.session.Options`."""

    @wraps(verb)
    def explained(*, debug: bool, **words: Any) -> Any:
        if debug and words["quiet"]:
            raise OptionError("--quiet prints less and --debug prints more; give one of them")
        with debugging.tracebacks() if debug else nullcontext():
            return verb(**words)

    command: Any = explained
    for option in reversed(
        (
            click.option(
                "--parallel",
                type=Count(1, MOST_SLOTS),
                help="Trials at a time.  [default: one per core, at most 8 per GPU]",
            ),
            click.option(
                "--max-time",
                type=Minutes(),
                metavar="TIME",
                help="Pause each trial at the end of its epoch once this time is over (30m, 2h; a plain number is "
                "minutes). Resume with hpsearch resume, or repeat the retrain command.",
            ),
            click.option(
                "--retries",
                type=Count(0, 100),
                default=2,
                show_default=True,
                help="Further attempts for a trial whose worker or machine fails; they start from its last checkpoint.",
            ),
            click.option(
                "--trial-timeout",
                type=Minutes(),
                metavar="TIME",
                default="30m",
                show_default=True,
                help="Time without progress after which a trial's worker ends itself; a plain number is minutes.",
            ),
            click.option(
                "--address",
                metavar="HOST:PORT",
                help="Train on this Ray cluster; auto: the one of this machine.  [default: this machine alone]",
            ),
            click.option(
                "--engine",
                type=click.Choice(ENGINES),
                help="tune: parallel workers under Ray Tune; inline: one trial at a time in this process, without "
                "Ray.  [default: tune; resume and retrain: the launch's]",
            ),
            click.option(
                "--follow",
                type=click.Choice(list(SINKS)),
                multiple=True,
                callback=_installed,
                help="Also show the search in this tool, as hpsearch follow does. Repeatable.",
            ),
            click.option("--quiet", is_flag=True, help="Print only the final table and errors."),
            click.option("--debug", is_flag=True, help="Print tracebacks, and what Ray logs."),
        )
    ):
        command = option(command)
    return command


def _installed(_ctx: click.Context, _param: click.Parameter, sinks: tuple[str, ...]) -> tuple[str, ...]:
    """The sinks without repetition; raises SinkError for one whose library is missing."""
    if sinks:
        from search.follow.sink import check

        for name in sinks:
            check(name)
    return tuple(dict.fromkeys(sinks))


def check_dry_run(address: str | None, *, dry_run: bool) -> None:
    """Raise OptionError for a forecast of a session on a cluster."""
    if dry_run and address is not None:
        raise OptionError(f"--dry-run measures this machine and --address {address} uses others; give one of them")


def take_up(name: str | None, storage: str | None, results: Path, *, dataset: str | None, data_dir: Path | None) -> Any:
    """The search to continue, brought up to date from its storage if it has one, once no other process works on it.

    dataset, data_dir: where its images and this machine's cache are, if not where they were. Neither is
    recorded; the images' fingerprint is compared before they are used.
    """
    from dataclasses import replace

    from search.history.store import check_place

    check_place(results)
    search = _found(name, storage, results)
    worked_on(search.name, results)
    request = search.request
    dataset = request.dataset if dataset is None else dataset_of(dataset)
    return replace(search, request=replace(request, dataset=dataset, data_dir=str(_cache(data_dir, request.data_dir))))


def _cache(asked: Path | None, recorded: str) -> Path:
    """This machine's download and cache folder: as asked for, else the recorded one if usable, else the default."""
    if asked is None and Path(recorded).is_dir() and os.access(recorded, os.W_OK):
        return Path(recorded)
    return (asked or Path(options.DATA_DIR).expanduser()).absolute()


def dataset_of(name: str) -> str:
    """A known name unchanged, anything else as an absolute path; raises OptionError if that does not exist."""
    from trainables.data.known import DATASETS

    if name in DATASETS:
        return name
    try:
        path = Path(name).expanduser().absolute()
        if name and (path.is_dir() or path.is_file()):
            return str(path)
    except (OSError, RuntimeError):  # too long for a path; the home of a user who does not exist
        pass
    raise OptionError(
        f"a dataset is one of {', '.join(DATASETS)} or a folder or file that exists; '{name}' is none of these"
    )


def _found(name: str | None, storage: str | None, results: Path) -> Any:
    from search.history import store
    from search.storage import takeover
    from search.storage.note import location_of

    found = None if storage is not None else store.find(results, name)
    place = location_of(found.folder) if found else storage
    if place is None:
        return found
    return store.find(results, takeover.take_over(place, found.name if found else name, results).name)


def conclude(outcome: Any, results: Path, *, quiet: bool) -> None:
    """Print the final output of a session and set its exit code. quiet: whether to print only the table and errors."""
    from search.history import store
    from search.history.load import read_search
    from search.history.record import rank
    from search.show import ranking
    from search.show.status import status, unfinished_retrain

    name, dataset = outcome.search.name, outcome.search.request.dataset
    worked_on(name, results)
    moved = f" --dataset {shlex.quote(dataset)}" if dataset != store.find(results, name).request.dataset else ""
    if outcome.reason == "finished":
        if outcome.detail and not quiet:
            click.echo(f"{name} is finished: {outcome.detail}", err=True)
        loaded = read_search(results, name)
        is_study = bool(loaded.search.arms)
        if is_study:
            from search.show.answers import print_answer  # imported late, as it brings SciPy
            from search.studies import StudyError
            from search.studies.answer import answer

            try:
                print_answer(answer(loaded))
            except StudyError as error:  # every run diverged or failed
                click.echo(str(error), err=True)
        else:
            ranking.print_top(loaded, ranking.top(loaded, 3))
        if is_study and not quiet:
            click.echo(f"next: {command_line('answer', name, results)}, {command_line('report', name, results)}")
        elif not quiet:
            winners = f", {command_line('retrain', name, results)} --top 3{moved}" if rank(loaded.record) else ""
            click.echo(f"next: {command_line('top', name, results)}{winners}")
            if unfinished := unfinished_retrain(status(loaded)):
                click.echo(f"retrain {loaded.retraining}: {unfinished}")
        if failed := sum(run.state == "failed" for run in loaded.record.trials):
            all_trials = count(len(loaded.record.trials), "trial")
            click.echo(f"{failed} of {all_trials} failed: {command_line('status', name, results)}", err=True)
            sys.exit(1)
        return
    context = click.get_current_context()
    again = shlex.join(["hpsearch", *(context.obj.arguments if context.obj else sys.argv[1:])])
    if context.command.name in ("launch", "resume"):
        again = command_line("resume", name, results) + (f" --address {outcome.address}" if outcome.address else "")
        again += moved
    if outcome.reason == "taken over":
        raise OptionError(f"{outcome.detail}, so this process has stopped; the search continues there")
    why = {
        "disk full": "a disk is full",
        "files unavailable": "files cannot be read or written",
        "machine unfit": "a machine of the cluster cannot train",
    }.get(outcome.reason)
    reason = f"paused because {why} ({outcome.detail})" if why else outcome.reason
    click.echo(f"{reason}; nothing recorded is lost. Continue with: {again}", err=True)
    sys.exit({"interrupted": 130, "out of time": 0}.get(outcome.reason, 1))


def worked_on(name: str, results: Path) -> None:
    """Tell a caller in Python which search its command works on."""
    call = click.get_current_context().obj
    if call is not None:
        call.search = results, name
