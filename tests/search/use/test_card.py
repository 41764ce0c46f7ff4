"""A model card says what the record says, with metadata that YAML reads."""

from collections import ChainMap

import yaml

from search.history.card import CARD, card, write_folder
from search.history.store import retrain_folder
from search.use import winners
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
    assert "has read its test set 2 times" in text
    assert found.search.facts["data"]["fingerprint"] in text and str(winner.test.fingerprint) in text
    assert f"{winner.asked.parameters:,} parameters" in text
    assert "trained on 200 images, those among them that trials were compared on" in text


def test_a_folder_that_is_written_holds_all_that_rebuilds_the_network(found, tmp_path):
    winner = winners.pick(found, 2)
    write_folder(found, winner, tmp_path / "out")
    assert load_network(tmp_path / "out").config == load_network(retrain_folder(found.search.folder, winner)).config
    assert (tmp_path / "out" / CARD).read_text() == card(found, winner)
