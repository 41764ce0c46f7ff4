"""The command that trains the winners: retrain."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from search.cli import options
from search.cli.sessions import check_dry_run, conclude, session_options, take_up
from search.cli.types import MOST_EPOCHS, Count, OptionError, Real, TrialNumber
from search.readable import count


@click.command()
@options.search_argument
@click.option("--top", type=Count(min=1), default=3, show_default=True, help="Winners to train.")
@click.option("--distinct", is_flag=True, help="Winners of different network families.")
@click.option(
    "--trial",
    "trials",
    type=TrialNumber(),
    multiple=True,
    help="Retrain this trial, or knee: the knee of the Pareto front for the costs of --also (parameters if none). "
    "Repeatable.",
)
@click.option("--epochs", type=Count(1, MOST_EPOCHS), default=100, show_default=True, help="Epochs of each retraining.")
@click.option(
    "--repeats",
    type=Count(min=1),
    default=1,
    show_default=True,
    help="Training runs per winner, each with its own seed.",
)
@click.option("--with-validation", is_flag=True, help="Train on the dataset's own validation images as well.")
@click.option(
    "--width",
    type=Real(0, 64, min_open=True),
    default=1.0,
    help="Factor on the width that each winner's network had in the search.  [default: 1]",
)
@click.option(
    "--set",
    "changes",
    metavar="KEY=VALUE",
    multiple=True,
    help="Change a training setting, such as cutmix=0.5. Repeatable.",
)
@click.option("--patience", type=Count(1, MOST_EPOCHS), help="Stop after this many epochs without improvement.")
@click.option(
    "--students",
    type=Count(min=0),
    default=0,
    show_default=True,
    help="How many students to train: winners' configurations trained again on all winners' predictions.",
)
@click.option(
    "--student-width",
    type=Real(0, 64, min_open=True),
    help="Factor on the width that each student's network had in the search.  [default: --width]",
)
@click.option("--flips", is_flag=True, help="Average the prediction for each image with that for its mirror image.")
@click.option("--finalists", type=Count(min=1), help="How many of the best trials to cross-validate.")
@click.option("--folds", type=Count(min=2), help="Folds of that cross-validation.  [default: 3]")
@click.option(
    "--finalist-epochs",
    type=Count(1, MOST_EPOCHS),
    help="Epochs of each fold's run.  [default: those of the search]",
)
@click.option(
    "--finalist-width",
    type=Real(0, 64, min_open=True),
    help="Factor on the width that each finalist's network had in the search.  [default: --width]",
)
@options.elsewhere
@options.changed_code
@session_options
@click.option("--dry-run", is_flag=True, help="Show what retraining would cost; train nothing.")
@options.storage
@options.as_json
@options.results
def retrain(
    search: str | None,
    top: int,
    distinct: bool,
    trials: tuple[int | str, ...],
    epochs: int,
    repeats: int,
    with_validation: bool,
    width: float,
    changes: tuple[str, ...],
    patience: int | None,
    flips: bool,
    students: int,
    student_width: float | None,
    finalists: int | None,
    folds: int | None,
    finalist_epochs: int | None,
    finalist_width: float | None,
    dataset: str | None,
    data_dir: Path | None,
    changed_code: bool,
    dry_run: bool,
    as_json: bool,
    storage: str | None,
    results: Path,
    **how: Any,
) -> None:
    """Train the winners on all training images, then test each once.

    This includes the share of train that was held out to compare trials. Validation images of the dataset's own are
    used only with --with-validation.

    By default the winners are the three best trials, each trained for 100 epochs; --dry-run shows what that costs. The
    same command again continues interrupted retraining, and shows the table once all runs are done.

    \b
    hpsearch retrain --top 3
    hpsearch retrain my-search --top 1 --epochs 200 --repeats 5
    hpsearch retrain --top 3 --with-validation      on the images of val/ too
    hpsearch retrain --top 1 --width 2 --epochs 80      # narrow search, wide winner
    hpsearch retrain --top 1 --epochs 200 --set cutmix=0.5 --set cutout=8    # more regularisation
    hpsearch retrain --top 1 --finalists 4 --folds 5    # the best of four by cross-validation
    hpsearch retrain --top 1 --finalists 4 --width 2 --finalist-width 1    # finalists as narrow as in the search
    hpsearch retrain --top 2 --width 2 --students 1 --student-width 1    # a narrow network from wide winners
    hpsearch retrain my-search --trial knee --trial 12  # trials that top --pareto shows
    hpsearch retrain --top 1 --width 2 --dry-run        # what this would cost

    With --patience, a winner trains on the training images alone, and its best epoch is tested.

    With --students 1, the best winner's configuration is then trained again from scratch on the winners' mean
    predictions for its augmented images instead of the labels (knowledge distillation). Narrow networks usually gain.

    With --finalists, more of the search's best trials are cross-validated first. The --top trials with the best mean
    are the winners, and the predictions on the folds choose the weights of their ensemble.
    """
    from search.history.load import read_search
    from search.run.finalists import Finals
    from search.run.retrain import retrain as train_winners
    from search.run.retrain_plan import Again
    from search.run.retrain_plan import dry_run as calculate
    from search.run.session import Options
    from search.show.forecast import print_retraining
    from search.show.winners import print_retrains, retrain_report

    if finalists is None:
        of_finalists = {"--folds": folds, "--finalist-epochs": finalist_epochs, "--finalist-width": finalist_width}
        for option, value in of_finalists.items():
            if value is not None:
                raise OptionError(f"{option} {value:.15g} is for finalists: say how many with --finalists")
    finals = None
    if finalists:
        finals = Finals(number=finalists, folds=folds or 3, epochs=finalist_epochs, width=finalist_width or width)
    if trials:
        for option, is_given in (("--top", _is_given("top")), ("--distinct", distinct), ("--finalists", finalists)):
            if is_given:
                raise OptionError(f"--trial names the winners and {option} chooses them; give one of them")
        top = len(set(trials))
    if students > top:
        raise OptionError(f"--students {students} exceeds {count(top, 'winner')}; give fewer students, or more winners")
    if student_width is not None and not students:
        raise OptionError(f"--student-width {student_width:g} is for students: say how many with --students")
    again = Again(
        epochs=epochs,
        repeats=repeats,
        width=width,
        training=_fields(changes),
        patience=patience,
        with_validation=with_validation,
        flips=flips,
        students=students,
        student_width=student_width,
        trials=trials,
        finals=finals,
    )
    check_dry_run(how["address"], dry_run=dry_run)
    found = take_up(search, storage, results, dataset=dataset, data_dir=data_dir)
    asked: dict[str, Any] = {"top": top, "distinct": distinct, "changed_code": changed_code}
    if dry_run:
        notes: list[str] = []
        title, forecast = calculate(found, Options(**how), again, **asked, say=notes.append, announce=options.announce)
        if as_json:
            options.emit({"title": title, "forecast": forecast and asdict(forecast)})
        else:
            for line in notes:
                click.echo(line)
            print_retraining(f"{found.name}: {title}", forecast)
        return
    outcome, runs = train_winners(found, Options(**how), again, **asked)
    is_finished = outcome.reason == "finished"
    if is_finished or as_json:
        if is_finished and outcome.detail and not how["quiet"]:
            click.echo(f"{found.name}: {outcome.detail}", err=True)
        loaded = read_search(results, found.name)
        is_chosen = finals and (is_finished or runs)
        keys, chosen = [run.key for run in runs], loaded.record.choices[-1] if is_chosen else None
        if as_json:
            options.emit({**retrain_report(loaded, keys, chosen), "reason": outcome.reason})
        else:
            print_retrains(loaded, keys, chosen)
    if not is_finished:
        conclude(outcome, results, quiet=how["quiet"])
    if not runs or any(run.test is None for run in runs):
        sys.exit(1)


def _is_given(option: str) -> bool:
    """Whether the user gave an option that has a default."""
    return click.get_current_context().get_parameter_source(option) is ParameterSource.COMMANDLINE


def _fields(changes: tuple[str, ...]) -> dict[str, Any]:
    """The fields of a training that --set changes."""
    from trainables.rules import check_object
    from trainables.training_config import SETTABLE

    found = dict(options.setting(each, "cutmix=0.5") for each in changes)
    options_of_their_own = ("epochs", "patience")
    for name in options_of_their_own:
        if name in found:
            raise OptionError(f"--set is not for {name}: give --{name} {found[name]}")
    check_object("training", found, optional=tuple(name for name in SETTABLE if name not in options_of_their_own))
    return found
