"""Inputs that hypothesis makes up, hundreds in one process (tests/chaos/generated.py)."""

from dataclasses import replace
from pathlib import Path

from rules.rule import Rule

PROGRAM = str(Path(__file__).parents[1] / "generated.py")


def some(rule: str, shown: str, name: str, examples: int = 300, seconds: float = 300) -> Rule:
    """A rule that holds for every example of a kind."""
    return Rule(
        rule=rule,
        input=shown,
        command=(PROGRAM, name, "--seed", "{seed}", "--examples", str(examples)),
        program=True,
        code=0,
        lines=0,
        may_change=("generated", "generated/*", "results/*/report.*"),  # what a report is written as
        seconds=seconds,
    )


RULES = [
    some("any options are understood or refused", "verbs, options and values at random", "options"),
    some("any settings make a network or are refused", "hyperparameters at random", "settings"),
    some("any file is a list or is refused", "bytes, and lists with bytes changed", "lists"),
    some("any configuration is one or is refused", "configurations with parts changed", "configurations"),
    some("any request is one or is refused", "search.json with parts changed", "requests"),
    some("any ledger is read up to its damage", "ledgers with bytes and lines changed", "ledgers"),
    some("any event is one or is refused", "ledgers with parts of events changed, checksums right", "events"),
    some("any Parquet file is a dataset or is refused", "Parquet files with bytes changed", "parquet"),
    some("any table is a dataset or is refused", "tables of columns at random", "tables", 150),
    some("any image is decoded or is refused", "PNG, JPEG, BMP and WEBP files with bytes changed", "images"),
    some("any cache is whole or is built anew", "the cache's files with bytes changed", "caches", 200),
    some("any checkpoint is what was written or is refused", "checkpoints with bytes changed", "checkpoints"),
    some("any network is what was written or is refused", "weights and config.json with bytes changed", "networks"),
    some("any predictions are a test pass's or are refused", "predictions with bytes changed", "predictions"),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="generated") for rule in RULES]
