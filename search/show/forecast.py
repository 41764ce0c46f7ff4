"""A forecast for people: what a search would draw and cost, and what a retrain would cost."""

from collections.abc import Mapping

from search.forecast.forecast import Expected, Forecast, Spread
from search.history.store import Request
from search.readable import between, count, duration, time_between
from search.show.terminal import Rows, console, print_rows


def print_forecast(request: Request, found: Forecast, schedulers: Mapping[str, Expected]) -> None:
    """Print networks, epochs, time, memory, disk and warnings, and what each scheduler would cost."""
    trials = count(found.trials, "trial")
    print_rows(_rows(found), "", f"{trials} of {request.space} on {request.dataset}: median (smallest to largest)")
    if found.trials < request.samples:
        console.print(f"samples     {found.trials} instead of {request.samples}: the space has no more")
    for reason, times in found.impossible.items():
        console.print(f"impossible  {count(times, 'draw')}: {reason}")
    _print_costs(found, f", {request.scheduler}", "start-up")
    compared = [
        {
            "scheduler": f"{name} (asked for)" if name == request.scheduler else name,
            "epochs": between(each.epochs.low, each.epochs.middle, each.epochs.high),
            "time": f"about {duration(each.seconds.middle)}",
        }
        for name, each in schedulers.items()
    ]
    print_rows(compared, "", "with each scheduler")


def print_retraining(title: str, found: Forecast | None) -> None:
    """Print what a retrain would train, and its epochs, time, memory, disk and warnings. found: None for nothing."""
    if found is None:
        console.print(f"{title}: nothing is left to train")
        return
    print_rows(_rows(found), "", title)
    _print_costs(found, "", "start-up and test-set evaluations")


def _rows(found: Forecast) -> Rows:
    return [
        {name: _spread(value) if isinstance(value, Spread) else value for name, value in row.items()}
        for row in found.families
    ]


def _print_costs(found: Forecast, epochs_of: str, without: str) -> None:
    """Print all costs. epochs_of: text after the epochs. without: what the time leaves out."""
    epochs, wall = found.epochs, found.seconds
    console.print(f"epochs      {between(epochs.low, epochs.middle, epochs.high)}{epochs_of}")
    console.print(f"time        about {time_between(wall.low, wall.middle, wall.high)}, without {without}")
    memory = f"{found.memory / 2**20:,.0f} MiB"
    console.print(f"memory      up to {memory} in all slots together, besides torch and the images")
    console.print(f"disk        up to {found.disk / 2**20:,.0f} MiB of checkpoints")
    for warning in found.warnings:
        console.print(f"warning     {warning}", style="yellow")


def _spread(value: Spread) -> str:
    def shown(number: float) -> str:
        return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"

    if value.low == value.high:
        return shown(value.middle)
    return f"{shown(value.middle)} ({shown(value.low)} to {shown(value.high)})"
