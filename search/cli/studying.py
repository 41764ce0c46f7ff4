"""Studies: the searches that `launch --study` begins, and the command that shows their results."""

import re
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from search.cli import options
from search.cli.serving import beside
from search.cli.sessions import conclude, dataset_of
from search.readable import command_line


def launch_study(
    name: str,
    asked: Mapping[str, Any],
    given: Mapping[str, Any],
    session: Any,
    *,
    repeats: int | None,
    quick: bool,
    search: str | None,
    results: Path,
    storage: str | None,
    is_served: bool,
    dry_run: bool,
) -> None:
    """Run a study: a search for each part of it, one after the other.

    asked: the fields of a request as the command line has them. given: those that the user gave. session: how it runs.
    search: the name of its search; if there are several parts, the part is appended.
    """
    from search.history.store import Request, check_new
    from search.run.defaults import checked
    from search.run.launch import launch as begin
    from search.spaces import find_space
    from search.studies import find_study
    from search.studies.preset import Preset, presets

    found = presets(find_study(name), given, repeats=repeats, quick=quick)
    searches: list[tuple[str | None, Request, Preset]] = []
    for number, preset in enumerate(found, 1):
        part = re.sub(r"[^A-Za-z0-9]+", "-", preset.facts["part"] or "").strip("-") or str(number)
        named = search if search is None or len(found) == 1 else f"{search}-{part}"
        if any(named == other for other, *_ in searches if other):
            named = f"{named}-{number}"
        if named is not None:
            check_new(results, named)
        words = {**asked, **preset.words}
        request = Request(**words | {"dataset": dataset_of(words["dataset"])})
        checked(request, preset.listed or find_space(request.space))  # all parts before the first begins
        if quick and "limit_train" not in given:
            request = _no_more_than_all(request)
        searches.append((named, request, preset))
    share = "validation" in given
    code: Any = 0
    for number, (named, request, preset) in enumerate(searches, 1):
        if preset.note and not session.quiet:
            click.echo(preset.note)
        if dry_run:
            show_forecast(request, results, session, listed=preset.listed, is_share_asked=share)
            continue
        with beside(results) if is_served else nullcontext():
            outcome = begin(
                request,
                session,
                results=results,
                name=named,
                storage=storage,
                is_share_asked=share,
                listed=preset.listed,
                study=dict(preset.facts),
            )
        try:
            conclude(outcome, results, quiet=session.quiet)
        except SystemExit as end:
            code = end.code
            if outcome.reason != "finished":
                for later, other, _ in searches[number:]:
                    label = f" --label {other.label}" if other.label else ""
                    own = f" --name {later}" if later else ""
                    click.echo(f"not started: the same with --dataset {other.dataset}{label}{own}", err=True)
                raise
    if code:
        sys.exit(code)


def _no_more_than_all(request: Any) -> Any:
    """A request with all training images, if the subset that --quick takes by default is no smaller."""
    from search.run.images import training_images

    if request.limit_train is None:
        return request
    every = replace(request, limit_train=None)
    return every if len(training_images(every).labels) <= request.limit_train else request


def show_forecast(request: Any, results: Path, session: Any, **more: Any) -> None:
    """Print what a launch would draw and cost. session: how it would run."""
    from search.run.foresee import dry_run
    from search.show.forecast import print_forecast

    more |= {"announce": options.announce}
    found = dry_run(request, results=results, parallel=session.parallel, engine=session.engine, **more)
    for line in found.notes:
        click.echo(line)
    print_forecast(request, found.search, found.schedulers)


@click.command()
@click.argument("searches", nargs=-1, shell_complete=options.searches)
@options.as_json
@options.results
def answer(searches: tuple[str, ...], as_json: bool, results: Path) -> None:
    """Show the result of a study beside the published figures.

    It prints means over repeats with standard deviations and 95 % intervals, and the difference of every arm to the
    first, from repeats with the same seeds.

    \b
    hpsearch launch --study batch-norm --quick      runs the study
    hpsearch answer                                 the newest study
    hpsearch answer mine-cifar10 mine-cifar100      both parts of one
    """
    from search.history.load import read_search
    from search.history.store import find_all
    from search.show.answers import print_answer
    from search.studies import StudyError
    from search.studies.answer import answer as ask

    if not searches:
        names = [each.name for each in find_all(results) if "study" in each.facts]
        if not names:
            raise StudyError(
                f"there is no study in {results.absolute()} yet; start one with hpsearch launch --study NAME, or name "
                "another folder with --results or HPSEARCH_RESULTS"
            )
        searches = (names[-1],)
    studies = [read_search(results, name) for name in searches]
    answers = [ask(study) for study in studies]
    if as_json:
        options.emit([asdict(each) for each in answers])
        return
    for study, answered in zip(studies, answers, strict=True):
        print_answer(answered)
        if not study.running and not study.record.finished:
            click.echo(f"to continue it: {command_line('resume', study.search.name, results)}")
