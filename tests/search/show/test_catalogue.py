"""What there is to search, as rows: networks of every kind, counted in both ways."""

from pathlib import Path

import pytest

from architectures.families import FAMILIES
from search.show import catalogue
from search.studies import STUDIES

SHAPE = (3, 32, 32)
DEPENDS = """
from search.spaces import config_of

def space(trial):
    network = trial.suggest_categorical("network", ("cnn5", "cnn6"))
    most = 1 if trial.suggest_float(f"{network}/conv_dropout", 0, 0.5) < 0.2 else 0.5
    trial.suggest_float(f"{network}/width", 0.1, most)
    trial.suggest_categorical("optimizer", ("sgd",))
    return config_of({**trial.params, "sgd/lr": 0.1})
"""
SOMETIMES = """
from search.spaces import config_of

def space(trial):
    network = trial.suggest_categorical("network", ("cnn5", "cnn6", "cnn7"))
    depth = trial.suggest_int("depth", 1, 3)
    wide = [trial.suggest_int(f"w{i}", 8, 16) for i in range(depth)]
    if network != "cnn5":
        trial.suggest_float("always", 0, 1)
        if depth == 2:
            trial.suggest_float("deep", 0, 1)
    if network != "cnn7" and depth == 3:
        trial.suggest_float(f"{network}/conv_dropout", 0, 0.5)
    return config_of({"network": network, "optimizer": "sgd", "sgd/lr": 0.1})
"""
OWN = """
from torch import nn

def module(num_classes):
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(3072), nn.Linear(3072, num_classes))
"""


def test_every_family_has_a_row_with_its_parameters_in_both_ways_of_counting() -> None:
    rows = {row["name"]: row for row in catalogue.networks(SHAPE, 100)}
    assert list(rows) == list(FAMILIES)
    assert (rows["model2"]["parameters"], rows["model2"]["with_statistics"]) == (1_544_708, 1_557_060)
    assert rows["cnn5"]["parameters"] == rows["cnn5"]["with_statistics"] == 856_708


@pytest.mark.parametrize("name", FAMILIES)
def test_the_hyperparameters_of_a_family_are_named_with_their_defaults(name: str) -> None:
    line = catalogue.hyperparameters(name)
    assert all(f" {key}=" in line for key in FAMILIES[name].hyperparameters)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_network_is_shown_layer_by_layer_and_its_last_row_is_the_familys(name: str) -> None:
    rows = catalogue.network(name, {}, SHAPE, 100)
    (family,) = (row for row in catalogue.networks(SHAPE, 100) if row["name"] == name)
    assert rows[-1]["layer"] == "all"
    assert {key: rows[-1][key] for key in ("parameters", "with_statistics")} == {
        key: family[key] for key in ("parameters", "with_statistics")
    }
    assert {tuple(row) for row in rows} == {tuple(rows[0])}


def test_a_users_module_is_shown_child_by_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shown_own.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    rows = catalogue.network("shown_own:module", {}, SHAPE, 10)
    assert [row["operation"] for row in rows] == ["Flatten", "BatchNorm1d", "Linear", ""]
    assert (rows[-1]["parameters"], rows[-1]["with_statistics"]) == (6144 + 30_730, 2 * 6144 + 30_730)


def test_families_that_do_not_take_the_images_are_shown_with_the_reason_and_without_figures() -> None:
    rows = {row["name"]: row for row in catalogue.networks((1, 28, 28), 10)}
    assert rows["model1"]["parameters"] is None and rows["model1"]["misfit"].startswith("unit 5 gets a 1×1 map")
    assert rows["mlp"]["parameters"] == 316_810 and rows["mlp"]["misfit"] is None
    assert {row["misfit"] for row in catalogue.networks(SHAPE, 100)} == {None}


def test_a_parameter_that_several_choices_share_is_shown_once():
    rows = {row["parameter"]: row for row in catalogue.space("cnn_all")}
    assert rows["<network>/width"] == {
        "parameter": "<network>/width",
        "values": "0.25, 0.5, 0.75, 1.0",
        "when": "always",
    }
    assert [name for name in rows if name.endswith("/lr")] and not [name for name in rows if name.startswith("cnn")]
    each = {row["parameter"]: row for row in catalogue.space("cnn_all", each=True)}
    assert {f"cnn{n}/width" for n in range(1, 9)} <= set(each)
    assert each["cnn3/width"]["when"] == "network is cnn3"
    assert len(rows) == len(each) - 7 * 6, "seven of eight times six parameters"


def test_what_some_choices_share_says_which_and_other_ranges_stay_apart():
    rows = {row["parameter"]: row["when"] for row in catalogue.space("modern")}
    assert rows["<network>/width"] == "network is resnet9 or plain9 or cnn6 or airbench"
    assert rows["wide_resnet/width"] == "network is wide_resnet"


def test_a_space_that_holds_a_transform_back_says_so() -> None:
    assert "shorter than 40 epochs" in catalogue.remarks("modern") and "\n" not in catalogue.remarks("modern")
    assert catalogue.remarks("cnn_published") == "" == catalogue.remarks("own:space")


@pytest.mark.parametrize("name", ["modern", "modern_small", "resnet", "wide_resnet", "resnet9", "plain9", "airbench"])
def test_a_space_whose_rates_follow_the_batch_says_for_which_batch_they_are(name: str) -> None:
    assert "batches of 64" in catalogue.remarks(name)


def test_a_range_that_depends_on_another_draw_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "depends.py").write_text(DEPENDS)
    monkeypatch.syspath_prepend(tmp_path)
    rows = {row["parameter"]: row["values"] for row in catalogue.space("depends:space")}
    assert rows["<network>/width"].startswith("0.1 to ")
    assert rows["<network>/width"].endswith(", uniform (depends on other draws)")
    assert rows["optimizer"] == "sgd" and rows["<network>/conv_dropout"] == "0 to 0.5, uniform"


def test_what_only_some_draws_have_is_not_said_to_be_drawn_always(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sometimes.py").write_text(SOMETIMES)
    monkeypatch.syspath_prepend(tmp_path)
    when = {row["parameter"]: row["when"] for row in catalogue.space("sometimes:space")}
    assert when == {
        "network": "always",
        "depth": "always",
        "w0": "always",
        "w1": "depends on other draws",
        "w2": "depends on other draws",
        "always": "network is cnn6 or cnn7",
        "deep": "network is cnn6 or cnn7, and depends on other draws",
        "<network>/conv_dropout": "network is cnn5 or cnn6, and depends on other draws",
    }
    each = {row["parameter"]: row["when"] for row in catalogue.space("sometimes:space", each=True)}
    assert each["w2"] == when["w2"] and each["cnn5/conv_dropout"] == "network is cnn5, and depends on other draws"


def test_the_arms_of_a_study_are_shown_with_what_was_published():
    rows = {row["arm"]: row for row in catalogue.study(STUDIES["depth"])}
    assert rows["two with dropout"]["network"] == "coarse conv_dropout=0.25 flat_dropout=0.25 head_dropout=0.5"
    assert [row["published"] for row in rows.values()] == [
        "48.0% validation", "51.3% validation", "", "55.2% validation"
    ]  # fmt: skip
    assert catalogue.study(STUDIES["batch-norm"])[0]["published"] == "71.0% test (cifar10); 44.0% test (cifar100)"
    assert {row["study"] for row in catalogue.studies()} >= {"batch-norm", "published-search"}
