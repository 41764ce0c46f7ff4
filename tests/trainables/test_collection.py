"""Imports without the garbage collector."""

import gc

import pytest

from trainables import collection


def test_the_collector_is_off_within_and_as_before_afterwards_also_after_an_error() -> None:
    assert gc.isenabled()
    with collection.paused():
        assert not gc.isenabled()
        with collection.paused():
            pass
        assert not gc.isenabled(), "the inner one leaves it as it was"
    assert gc.isenabled()
    with pytest.raises(ImportError), collection.paused():
        raise ImportError
    assert gc.isenabled()


def test_what_was_made_within_is_left_out_later() -> None:
    before = gc.get_freeze_count()
    with collection.paused():
        made = [[] for _ in range(1000)]
    assert gc.get_freeze_count() >= before + len(made)
    gc.unfreeze()
