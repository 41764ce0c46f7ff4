"""Shares, counts, times and commands as people read them."""

import shlex
from pathlib import Path


def percent(value: float | None) -> str:
    """A fraction of one in per cent; empty for None."""
    return "" if value is None else f"{value:.1%}"


def duration(seconds: float) -> str:
    """Seconds for people: 42 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def time_between(low: float, middle: float, high: float) -> str:
    """Seconds and their range: 33 s (24 s to 43 s); 33 s if both ends read the same."""
    ends = duration(low), duration(high)
    return duration(middle) + ("" if ends[0] == ends[1] else f" ({ends[0]} to {ends[1]})")


def brief(seconds: float) -> str:
    """Seconds for people where fractions count: 0.13 s, 2.5 s, 42 s, 3 min 20 s."""
    return f"{seconds:.2g} s" if seconds < 9.5 else duration(seconds)


def epochs(number: float) -> str:
    """An epoch for people, which may be a fraction: 0.5, 0.56, 4."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def between(low: float, middle: float, high: float, noun: str = "") -> str:
    """A figure and its range: about 114 epochs (83 to 147); without a range, 168 epochs."""
    shown = count(round(middle), noun) if noun else f"{middle:.0f}"
    return shown if round(low) == round(high) else f"about {shown} ({low:.0f} to {high:.0f})"


def count(number: float, noun: str) -> str:
    """A number with its noun: 1 trial, 2 trials, 1,200 trials, 2.5 epochs, 2 passes."""
    shown = f"{round(number, 2):,}".removesuffix(".0")
    plural = "es" if noun.endswith(("s", "x", "tch", "sh")) else "s"
    return f"{shown} {noun}" if number == 1 else f"{shown} {noun}{plural}"


def command_line(verb: str, name: str, results: Path, *options: str) -> str:
    """The command that calls a verb on a search of this results folder."""
    where = ("--results", str(results)) if str(results) != "results" else ()
    return shlex.join(["hpsearch", verb, name, *where, *options])
