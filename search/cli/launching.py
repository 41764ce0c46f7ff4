"""The commands that search: launch and resume."""

from contextlib import nullcontext
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from search.cli import options
from search.cli.sections import Sections
from search.cli.serving import beside
from search.cli.sessions import check_dry_run, conclude, dataset_of, session_options, take_up
from search.cli.studying import launch_study, show_forecast
from search.cli.submitting import submitted
from search.cli.types import MOST_EPOCHS, MOST_PIXELS, MOST_THREADS, Count, Duration, OptionError, Real
from search.history.metric import ACCURACY, METRICS
from search.history.pareto import COSTS
from search.history.request import PRECISIONS
from search.readable import count, duration
from search.samplers import EXPERIENCED, HEARS, LEARNING, SAMPLERS
from search.schedulers import SCHEDULERS
from trainables.augmentation import PRESETS

_BY_USER = ParameterSource.COMMANDLINE
SPACE_HELP = "A built-in space (hpsearch spaces), a .jsonl file of configurations, or package.module:function."


#: The options by topic.
SECTIONS = {
    "What is searched": (
        "space", "study", "repeats", "quick", "samples", "budget", "epochs", "first", "warm-start", "sampler",
        "experience", "hears",
        "metric", "also", "seed", "augment",
    ),
    "What is stopped early": ("scheduler", "grace-period", "reduction-factor", "keep"),
    "Images": ("dataset", "label", "image", "limit-train", "image-size", "validation", "data-dir"),
    "Where and how it runs": (
        "parallel", "threads", "precision", "engine", "address", "submit", "max-time", "retries", "trial-timeout",
    ),
    "What is kept and shown": ("name", "results", "storage", "follow", "serve", "dry-run", "quiet", "debug"),
}  # fmt: skip


@click.command(cls=Sections, sections=SECTIONS)
@click.option(
    "--space",
    default="cnn_all",
    show_default=True,
    help=SPACE_HELP,
    shell_complete=options.from_names(options.space_names),
)
@click.option(
    "--study",
    metavar="NAME",
    help="Run a study instead: a name (see hpsearch spaces), a .toml file or package.module:function.",
    shell_complete=options.from_names(options.study_names),
)
@click.option(
    "--repeats",
    type=Count(min=1),
    help="How many times each arm (configuration) of a study is trained.  [default: the study's]",
)
@click.option(
    "--quick",
    is_flag=True,
    help="Run the study in its short form, with fewer images or epochs: minutes instead of hours for built-in ones.",
)
@click.option("--samples", type=Count(min=1), help="Trials to draw.  [default: 60, or the whole list]")
@click.option(
    "--budget",
    type=Duration(),
    metavar="TIME",
    help="Instead of --samples: as many trials as are forecast to fit in this time (30m, 2h).",
)
@click.option(
    "--epochs",
    type=Count(1, MOST_EPOCHS),
    default=30,
    show_default=True,
    help="Epochs per trial unless its configuration sets its own; every rung is below this.",
)
@click.option(
    "--dataset",
    default="cifar100",
    show_default=True,
    shell_complete=options.datasets,
    help="cifar100, cifar100-coarse, cifar10, fashion-mnist or digits, or a folder or file with your own images.",
)
@click.option("--label", metavar="NAME", help="Column or field of labels.  [default: label, labels, fine_label, …]")
@click.option("--image", metavar="NAME", help="Column or field of images.  [default: the only one]")
@options.data_dir
@click.option("--limit-train", type=Count(min=2), help="Use a stratified subset of this many training images.")
@click.option("--image-size", type=Count(1, MOST_PIXELS), help="Resize every image to this many pixels a side.")
@click.option(
    "--validation",
    type=Real(0, 1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of the training images held out to compare trials; not for datasets with their own validation images.",
)
@click.option(
    "--augment",
    type=click.Choice(list(PRESETS)),
    default="published",
    help="Augmentation of training images. published and flip-crop mirror them, and published also rotates them by up "
    "to 5 degrees. Mirroring changes what digits, text and left/right classes mean: use none for them.  "
    "[default: that of the space if it sets one, as modern does, else published]",
)
@click.option(
    "--sampler",
    type=click.Choice(list(SAMPLERS)),
    default="random",
    show_default=True,
    help=f"How trials are drawn. {'; '.join(f'{name}: {kind.what}' for name, kind in SAMPLERS.items())}.",
)
@click.option(
    "--hears",
    type=click.Choice(list(HEARS)),
    help=f"Which results {', '.join(LEARNING[:-1])} and {LEARNING[-1]} use. "
    f"{'; '.join(f'{name}: {what}' for name, what in HEARS.items())}.  "
    f"[default: {next(iter(HEARS))}]",
)
@click.option(
    "--experience",
    multiple=True,
    metavar="DATASET|SEARCH",
    callback=lambda _, __, names: ",".join(dict.fromkeys(names)) if names else None,
    help=f"Prior results for {' and '.join(EXPERIENCED)}: a dataset whose recorded runs ship with hpsearch, or an "
    "earlier search of yours on any images. Repeatable.  "
    "[default: those of cifar10, cifar100-coarse, cifar100-coarse-32, fashion-mnist, fashion-mnist-28 and digits "
    "whose images are not much larger than yours]",
    shell_complete=options.experiences,
)
@click.option("--first", metavar="FILE", help="A .jsonl file of configurations to train first; later trials are drawn.")
@click.option(
    "--warm-start",
    metavar="SEARCH",
    help=f"An earlier search on the same images whose results {', '.join(LEARNING[:-1])} or {LEARNING[-1]} also use.",
    shell_complete=options.searches,
)
@click.option(
    "--scheduler", type=click.Choice(SCHEDULERS), default="asha", show_default=True, help="What stops trials early."
)
@options.of_schedulers
@click.option(
    "--threads",
    type=Count(1, MOST_THREADS),
    default=1,
    show_default=True,
    help="CPU threads of each trial. Raise it for wide networks on idle cores; on busy ones it slows training down.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="Precision of training.  [default: bfloat16 if a short measurement finds it faster, else float32]",
)
@click.option(
    "--seed",
    type=Count(min=0),
    default=0,
    show_default=True,
    help="Seed for the split, the drawn configurations and training.",
)
@click.option(
    "--metric",
    type=click.Choice(list(METRICS)),
    default=ACCURACY,
    show_default=True,
    help="How trials are compared; balanced_accuracy: every class counts the same, whatever its number of images.",
)
@click.option(
    "--also",
    type=click.Choice(list(COSTS)),
    multiple=True,
    callback=lambda _, __, costs: ",".join(dict.fromkeys(costs)) or None,
    help="A cost to minimise, as important as the metric. Repeatable.",
)
@session_options
@options.storage
@click.option("--name", help="The search's name.  [default: space, dataset and time]")
@click.option(
    "--submit",
    metavar="URL",
    help="Submit the search as a job to the cluster with this Ray dashboard; needs --storage. Not with --study, "
    "--first, --budget, --dry-run, --serve or --follow.",
)
@click.option(
    "--serve",
    "is_served",
    is_flag=True,
    help="Also show all searches in a browser, on any free port; prints the address.",
)
@click.option("--dry-run", is_flag=True, help="Show what the search would draw and cost; train nothing.")
@options.results
def launch(
    study: str | None,
    repeats: int | None,
    quick: bool,
    samples: int | None,
    budget: float | None,
    data_dir: Path,
    name: str | None,
    submit: str | None,
    is_served: bool,
    dry_run: bool,
    results: Path,
    storage: str | None,
    **asked: Any,
) -> None:
    """Start a search: draw and train trials, stop poor ones early.

    \b
    hpsearch launch --space cnn_all --samples 60                  CIFAR-100, downloaded once
    hpsearch launch --samples 60 --dataset ~/pictures             a folder of class folders, or of Parquet files
    hpsearch launch --samples 60 --dataset pathmnist.npz          one file: .npz, Parquet, a zip or tar of class folders
    hpsearch launch --space best.jsonl --scheduler none           a list of configurations, each to its end
    hpsearch launch --scheduler halving --keep 0.5                the same decisions whatever the number of slots
    hpsearch launch --scheduler halving --budget 2h               as many samples as fit into two hours
    hpsearch launch --also parameters --sampler tpe               two objectives: see top --pareto parameters
    hpsearch launch --dataset ~/pictures --metric balanced_accuracy   for classes of very different sizes
    hpsearch launch --sampler tpe --scheduler halving --samples 40    draws that learn from earlier trials
    hpsearch launch --sampler transfer --scheduler halving --samples 15               starts from experience
    hpsearch launch --sampler gp --first mine.jsonl               your own configurations first
    hpsearch launch --sampler tpe --warm-start my-search          also learns from that search
    hpsearch launch --study batch-norm --quick                    a published experiment, in minutes
    hpsearch launch --samples 60 --serve                          with a live page in a browser
    hpsearch launch --samples 60 --follow tensorboard             also in TensorBoard, Optuna's dashboard, MLflow or W&B
    hpsearch launch --samples 60 --dry-run                        what it would draw and cost
    hpsearch launch --address 10.0.0.5:6379                       on a cluster that this machine is a node of
    hpsearch launch --submit http://HEAD:8265 --storage s3://bucket/searches      as a job there; watch it with status
    """
    from search.history.store import Request, check_new, find
    from search.run.defaults import checked
    from search.run.experience import named
    from search.run.foresee import affordable
    from search.run.launch import launch as begin
    from search.run.session import Options
    from search.spaces import find_space

    how = Options(**{field.name: asked.pop(field.name) for field in fields(Options)})
    asked["augment_all"] = click.get_current_context().get_parameter_source("augment") is _BY_USER
    _check_together(
        how,
        study=study,
        of_study="--quick" if quick else "--repeats" if repeats is not None else None,
        submit=submit,
        is_served=is_served,
        dry_run=dry_run,
        first=asked["first"],
        budget=budget,
        samples=samples,
    )
    if study is not None:
        context = click.get_current_context()
        values = {**asked, "samples": samples, "budget": budget, "submit": submit}
        by_user = {key: values[key] for key in values if context.get_parameter_source(key) is _BY_USER}
        launch_study(
            study, {**asked, "data_dir": str(data_dir.absolute())}, by_user, how, repeats=repeats,
            quick=quick, search=name, results=results, storage=storage, is_served=is_served, dry_run=dry_run,
        )  # fmt: skip
        return
    if name is not None:
        check_new(results, name)  # before the images are read, which may need a download
    space = find_space(asked["space"])
    if submit is None:
        asked["dataset"] = dataset_of(asked["dataset"])
        if asked["warm_start"] is not None:
            asked["warm_start"] = str(find(results, asked["warm_start"]).folder.absolute())
        asked["experience"] = named(asked["experience"], results)
    if asked["first"] is not None:
        asked["first"] = str(Path(asked["first"]).expanduser().absolute())
    request = Request(samples=samples or len(space.configs) or 60, data_dir=str(data_dir.absolute()), **asked)
    checked(request, space)  # also before it is served or submitted
    if submit is not None:
        submitted(submit, request, name, storage=storage, results=results)
        return
    is_share_asked = click.get_current_context().get_parameter_source("validation") is _BY_USER
    if budget is not None:
        samples = affordable(
            request,
            budget,
            parallel=how.parallel,
            engine=how.engine,
            is_share_asked=is_share_asked,
            announce=(lambda _: None) if how.quiet else options.announce,
        )
        request = replace(request, samples=samples)
        if not how.quiet:
            click.echo(f"{duration(budget)} is enough for {count(request.samples, 'sample')}", err=True)
    if dry_run:
        show_forecast(request, results, how, is_share_asked=is_share_asked)
        return
    with beside(results) if is_served else nullcontext():
        outcome = begin(request, how, results=results, name=name, storage=storage, is_share_asked=is_share_asked)
    conclude(outcome, results, quiet=how.quiet)


def _check_together(
    how: Any,
    *,
    study: str | None,
    of_study: str | None,
    submit: str | None,
    is_served: bool,
    dry_run: bool,
    first: str | None,
    budget: float | None,
    samples: int | None,
) -> None:
    """Raise OptionError for options that exclude each other. of_study: an option of studies that is given."""
    for option, is_given in (("--serve", is_served), ("--follow", bool(how.follow))):
        if is_given and (submit is not None or dry_run):
            other = "--submit" if submit else "--dry-run"
            raise OptionError(f"{option} shows a search that this machine runs; {other} runs none")
    check_dry_run(how.address, dry_run=dry_run)
    if study is not None:  # checks the options that it does not take
        return
    if of_study is not None:
        raise OptionError(f"{of_study} is for a study: name one with --study")
    if submit is not None and dry_run:
        raise OptionError("--dry-run measures this machine and --submit uses others; give one of them")
    if submit is not None and first is not None:
        raise OptionError("--first is a file of this machine, and --submit searches on another one; give one of them")
    for option, value in (("--samples", samples), ("--submit", submit), ("--address", how.address)):
        if budget is not None and value is not None:
            raise OptionError(
                f"--budget measures this machine to find how many samples it can train in time, and {option} sets that "
                "number or uses other machines; give one of them"
            )


@click.command()
@options.search_argument
@click.option("--samples", type=Count(min=1), help="The new, larger number of trials.")
@click.option("--until", type=Count(min=2), metavar="LINE", help="Continue from before this line of a damaged ledger.")
@options.elsewhere
@options.changed_code
@session_options
@options.storage
@options.results
def resume(
    search: str | None,
    samples: int | None,
    until: int | None,
    dataset: str | None,
    data_dir: Path | None,
    changed_code: bool,
    storage: str | None,
    results: Path,
    **how: Any,
) -> None:
    """Continue a search after a kill or Ctrl-C, or with more samples.

    \b
    hpsearch resume                         the newest search
    hpsearch resume my-search --samples 120
    hpsearch resume --storage s3://bucket/searches      on another machine, if the first one is lost
    hpsearch resume my-search --dataset /archive/pictures      its images have moved
    """
    from search.history import events, ledger, store
    from search.history.load import read_search
    from search.run.launch import resume as go_on
    from search.run.session import Options

    if until is not None:  # before the storage is read, which does not update a damaged ledger
        here = store.find(results, search)
        try:
            read_search(results, here.name)
        except (ledger.LedgerError, events.EventError):
            ledger.cut(here.ledger, until)
        else:
            raise OptionError(f"no line of {here.ledger} is damaged, so --until is not needed")
        search = here.name
    found = take_up(search, storage, results, dataset=dataset, data_dir=data_dir)
    outcome = go_on(found, Options(**how), samples=samples, changed_code=changed_code)
    conclude(outcome, results, quiet=how["quiet"])
