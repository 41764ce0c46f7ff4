"""What a person may give the command: options, settings of networks, lists, configurations."""

import json
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import strategies as st
from rules.rule import FINISHED

import search.cli.main as cli
from kinds.holding import HERE, Kind, begin, held, hpsearch
from kinds.making import GOOD, JSON, changed, damaged


def options() -> Kind:
    """Verbs with options and values at random; what would begin is only noted."""
    text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
    value = text | st.integers().map(str) | st.floats().map(str) | st.sampled_from(("none", "asha", "digits", FINISHED))
    # Those ask around in the network, and these write files under whatever name they are given.
    reaching = {"--submit", "--storage", "--out", "--figures"}
    flags = {
        name: sorted({flag for option in verb.params for flag in option.opts if flag[0] == "-"} - reaching)
        for name, verb in cli.cli.commands.items()
        if name
        not in ("doctor", "serve", "delete")  # it takes no value; it listens until it is told to end; it may delete
    }
    strategy = st.sampled_from(sorted(flags)).flatmap(
        lambda verb: st.tuples(
            st.just(verb),
            st.lists(st.tuples(st.sampled_from(flags[verb]), value), max_size=4),
            st.lists(value, max_size=1),
        )
    )

    def test(example: Any) -> None:
        verb, given_options, arguments = example
        words = [word for option in given_options for word in option]
        with (
            mock.patch("search.run.launch.launch", begin),
            mock.patch("search.run.foresee.dry_run", begin),
            mock.patch("search.run.foresee.affordable", begin),
            mock.patch("search.run.launch.resume", begin),
            mock.patch("search.run.retrain.retrain", begin),
        ):
            hpsearch(verb, *words, *arguments)

    return strategy, test


def settings_of_networks() -> Kind:
    """A family with hyperparameters, an image shape and a number of classes at random."""
    keys = st.sampled_from(
        ("width", "activation", "pool", "norm", "conv_dropout", "head_dropout", "head_widths", "depth")
    )
    value = JSON.map(json.dumps) | st.sampled_from(("relu", "published", "max", "0.5", "[64]", "1e-300", "64"))
    strategy = st.tuples(
        st.sampled_from([f"cnn{i}" for i in range(1, 9)]),
        st.lists(st.tuples(keys, value), max_size=3),
        st.lists(st.integers(0, 40), min_size=3, max_size=3),
        st.integers(-1, 10**7),
    )

    def test(example: Any) -> None:
        name, pairs, shape, classes = example
        words = [word for key, value in pairs for word in ("--set", f"{key}={value}")]
        hpsearch("networks", name, *words, "--input", "x".join(map(str, shape)), "--classes", str(classes))

    return strategy, test


def lists() -> Kind:
    """Files that are no list, or nearly one."""

    def test(data: bytes) -> None:
        (HERE / "list.jsonl").write_bytes(data)
        hpsearch("spaces", str(HERE / "list.jsonl"))

    return st.binary(max_size=200) | damaged(f"{json.dumps(GOOD)}\n".encode() * 2), test


def configurations() -> Kind:
    """Configurations that are none, or nearly one, and the network that each is."""
    from search.history.store import Request
    from search.run.problem import Problem, RequestError
    from search.spaces import SpaceError, find_space
    from trainables.data.images import Images

    images = Images(np.zeros((20, 1, 16, 16), np.uint8), np.arange(20) % 10, tuple("abcdefghij"))
    request = Request(space="", samples=1, data_dir="")

    def test(config: Any) -> None:
        (HERE / "list.jsonl").write_text(json.dumps(config) + "\n")
        held(
            lambda: Problem(request, find_space(str(HERE / "list.jsonl")), images).check_list(),
            SpaceError,
            RequestError,
        )

    return changed(GOOD) | JSON, test
