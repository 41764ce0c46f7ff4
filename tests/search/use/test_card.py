"""A model card says what the record says, with metadata that YAML reads."""

from collections import ChainMap
from math import prod

import pytest
import yaml
from click.testing import CliRunner
from torch import nn

from architectures.errors import HpsearchError
from search.cli.using import export
from search.history.card import CARD, card
from search.history.load import read_search
from search.history.store import retrain_folder
from search.run.launch import launch
from search.run.retrain import Again, retrain
from search.run.session import Options
from search.use import winners
from tests.search.run import searches
from trainables.saved_network import load_network


def test_a_card_has_the_figures_of_the_table_and_metadata_for_hubs(found):
    winner = winners.pick(found, 1)
    _, head, text = card(found, winner).split("---\n", 2)
    metadata = yaml.safe_load(head)
    assert metadata["pipeline_tag"] == "image-classification"
    assert "license" not in metadata, "that is the user's"
    (result,) = metadata["model-index"][0]["results"]
    frame = found.retrains.set_index(["trial", "repeat"])
    row = frame.loc[winner.key]
    values = ChainMap(*({each["type"]: each["value"]} for each in result["metrics"]))
    assert values["accuracy"] == round(row.test_accuracy, 4)
    assert result["dataset"]["name"] == "digits"
    assert f"| accuracy | {row.test_accuracy:.1%} | {row.test_low:.1%}–{row.test_high:.1%} |" in text
    assert "The test set was evaluated 2 times, always after training," in text
    assert found.search.facts["data"]["fingerprint"] in text and str(winner.test.fingerprint) in text
    assert f"{winner.asked.parameters:,} parameters" in text
    assert "trained on 200 images, those among them that trials were compared on" in text


def own(input_shape, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(prod(input_shape), num_classes))


def test_the_commands_on_a_card_work_for_a_network_of_ones_own(found, tmp_path):
    network = {"name": f"{__name__}:own"}
    line = {"network": network, "optimizer": {"name": "sgd", "lr": 0.1}, "training": {"batch_size": 32}}
    request = searches.listed(tmp_path, [line], epochs=1, limit_train=60)
    begun = launch(request, Options(engine="inline"), results=tmp_path, name="one").search
    retrain(begun, Options(engine="inline"), Again(epochs=1), top=1, distinct=False)
    loaded = read_search(tmp_path, "one")
    text = card(loaded, winners.pick(loaded, 1))
    assert "`hpsearch predict one IMAGE --own-code`" in text
    assert "`hpsearch export one --format onnx --own-code`" in text
    assert "--own-code" not in card(found, winners.pick(found, 1))


def test_a_folder_that_is_written_holds_all_that_rebuilds_the_network(found, results, tmp_path):
    winner = winners.pick(found, 2)
    words = ["digits", "--rank", "2", "--format", "safetensors", "--out", str(tmp_path / "out")]
    CliRunner().invoke(export, [*words, "--results", str(results)], catch_exceptions=False)
    assert load_network(tmp_path / "out").config == load_network(retrain_folder(found.search.folder, winner)).config
    assert (tmp_path / "out" / CARD).read_text() == card(found, winner)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "predictions.parquet"])
def test_a_lost_file_of_the_winner_is_not_taken_for_a_place_that_cannot_be_written(found, results, tmp_path, name):
    path = retrain_folder(found.search.folder, winners.pick(found, 1)) / name
    kept = path.rename(tmp_path / name)
    try:
        for form in ("safetensors", "card") if name == "predictions.parquet" else ("safetensors",):
            words = ["digits", "--format", form, "--out", str(tmp_path / "out"), "--results", str(results)]
            error = CliRunner().invoke(export, words).exception
            assert isinstance(error, HpsearchError) and error.exit_code == 2
            assert str(error).startswith(f"{path} is gone; restore it, or retrain the winner ")
            assert not (tmp_path / "out").exists()
    finally:
        kept.rename(path)
