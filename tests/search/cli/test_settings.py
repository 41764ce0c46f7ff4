"""KEY=VALUE, as --set takes it."""

from typing import Any

import pytest

from search.cli.options import setting


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        (".5", 0.5),
        ("-.5e-3", -0.0005),
        ("5.", 5.0),
        ("+.5", "+.5"),
        ("1e-3", 0.001),
        ("3", 3),
        ("true", True),
        ("[2, 4]", [2, 4]),
        ("cosine", "cosine"),
        (".", "."),
        ("1.2.3", "1.2.3"),
        ("007", "007"),
        ("1_0.", "1_0."),
        ("a=b", "a=b"),
        ("", ""),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_a_value_is_json_or_a_number_as_people_write_it_or_a_word(text: str, value: Any) -> None:
    key, found = setting(f"cutmix={text}", "cutmix=0.5")
    assert (key, found, type(found)) == ("cutmix", value, type(value))
