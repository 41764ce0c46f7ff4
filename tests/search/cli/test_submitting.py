"""A launch that is sent as a job: which of its options travel."""

import click
import pytest

from search.cli import options
from search.cli.launching import launch
from search.cli.submitting import given
from search.cli.types import OptionError


def words(*arguments):
    """What the options of a launch become."""
    found = []

    @click.command()
    @click.option("--space", default="cnn_all")
    @click.option("--epochs", "-e", type=int, default=30)
    @click.option("--data-dir", type=options.Folder(), envvar="HPSEARCH_DATA", default="~/.cache/hpsearch")
    @click.option("--fast", is_flag=True)
    @click.option("--name")
    @options.results
    def launch(**_):
        found.extend(given(click.get_current_context()))

    launch.main(list(arguments), standalone_mode=False)
    return found


def test_options_travel_as_they_were_given_and_defaults_are_the_heads(monkeypatch):
    monkeypatch.setenv("HPSEARCH_DATA", "/here")
    assert words() == []
    assert words("--space", "mine:space", "--name", "a", "--results", "r") == []  # submit sets these itself
    assert words("-e", "8", "--fast", "--data-dir", "/there") == ["--epochs", "8", "--data-dir", "/there", "--fast"]
    with pytest.raises(OptionError, match="--data-dir is a folder on the head, /a/path; got 'there'"):
        words("--data-dir", "there")


def test_the_search_there_says_when_it_begins_also_if_little_is_to_be_printed_here():
    asked = ["--samples", "4", "--quiet", "--submit", "http://head:8265", "--storage", "/shared"]
    assert given(launch.make_context("launch", asked)) == ["--samples", "4"]


def test_an_option_that_is_given_several_times_is_repeated_as_often() -> None:
    asked = ["--also", "parameters", "--also", "flops", "--sampler", "transfer", "--experience", "digits"]
    asked += ["--experience", "cifar10", "--samples", "3"]
    repeated = given(launch.make_context("launch", list(asked)))
    pairs = set(zip(repeated[::2], repeated[1::2], strict=True))
    assert pairs == set(zip(asked[::2], asked[1::2], strict=True)) and len(repeated) == len(asked)
    launch.make_context("launch", repeated)  # the head takes them
