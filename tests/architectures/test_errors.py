"""Errors as one line."""

from architectures.errors import one_line


def test_an_error_is_one_line_and_never_empty():
    assert one_line(ValueError("two\n  lines")) == "two lines"
    assert one_line(KeyError()) == "KeyError"
    assert one_line(OSError("full"), named=True) == "OSError: full"


def test_a_whole_log_in_an_error_is_cut_at_a_word():
    text = one_line(RuntimeError("the dashboard did not start: " + "line of a log " * 300))
    assert len(text) <= 500
    assert text.startswith("the dashboard did not start: line of a log") and text.endswith(" …")
    assert len(one_line(OSError("x" * 900))) == 500
