"""Lists of configurations in files."""

import pytest

from search.spaces import SpaceError, find_space
from search.spaces.lists import write_list


def test_a_list_is_read_line_by_line_with_epochs_of_its_own(tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_text(
        '{"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 0.1}, "training": {"epochs": 4}}\n\n'
        '{"network": {"name": "cnn6", "width": 0.5}, "optimizer": {"name": "adam", "lr": 0.001}}\n'
    )
    first, second = find_space(str(path)).configs
    assert (first.training.epochs, second.training.epochs) == (4, None)
    assert second.with_defaults(epochs=30, augment="none").training.epochs == 30
    assert first.with_defaults(epochs=30, augment="none").training.epochs == 4


def test_a_list_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_text('{"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 0.1}}\n', encoding="utf-8-sig")
    assert find_space(str(path)).configs[0].network.name == "cnn5"


def test_a_broken_line_is_named_by_its_number(tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_text('{"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 0.1}}\n{"network": {}}\n')
    with pytest.raises(SpaceError, match="line 2"):
        find_space(str(path))


def test_a_list_that_is_written_is_read_back(tmp_path):
    path, copy = tmp_path / "list.jsonl", tmp_path / "copy.jsonl"
    path.write_text('{"network": {"name": "cnn5", "width": 0.5}, "optimizer": {"name": "sgd", "lr": 0.1}}\n')
    copy.write_bytes(write_list(find_space(str(path))))
    assert find_space(str(copy)).configs == find_space(str(path)).configs
