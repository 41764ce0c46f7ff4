"""Example images on a page: real test images of the mistakes, looked at by choice, and recorded as looked at."""

import base64
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from architectures.errors import HpsearchError
from search.cli.reporting import report
from search.history import ledger, store
from search.history.ledger import Ledger
from search.history.load import read_search
from search.page.examples import mistakes, wanted
from search.page.view import View
from search.run.images import part_images, training_images
from search.show.status import status
from tests.search.page.searches import make_search
from trainables.data.images import fingerprint


@pytest.fixture
def made(tmp_path):
    """A search with two tested winners, of the digits that come with the install."""
    search = make_search(tmp_path, trials=4, retrains=[(2, 1), (0, 1)])
    path = search.folder / "search.json"
    described = json.loads(path.read_text())
    described["request"]["data_dir"] = str(tmp_path / "data")
    path.write_text(json.dumps(described))
    described["data"]["fingerprint"] = fingerprint(training_images(store.find(tmp_path, "made").request))
    path.write_text(json.dumps(described))
    return tmp_path


def call(results, *words):
    report.main(["made", *words, "--results", str(results)], standalone_mode=False)
    return (results / "made" / "report.html").read_text()


def pictures(page):
    tag = r'<img src="data:image/png;base64,([^"]+)" alt="test image (\d+)" width="\d+" height="\d+"'
    found = re.findall(tag, page)
    return {int(place): np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data, place in found}


def lines(results):
    return ledger.read(results / "made" / "ledger.jsonl")


def test_the_images_are_those_of_the_mistakes_and_the_look_is_recorded_and_shown(made):
    before = status(read_search(made, "made"))
    indices = wanted(View(read_search(made, "made")))
    page = call(made, "--examples")
    test = part_images(store.find(made, "made").request, "test")
    assert sorted(pictures(page)) == indices.tolist() and len(indices) > 8
    assert all(np.array_equal(pixels, test.pixels[place, 0]) for place, pixels in pictures(page).items())
    assert (lines(made)[-1]["event"], lines(made)[-1]["images"]) == ("looked", len(indices))
    assert f"looked at 1 time, {len(indices)} images the last time" in page
    assert "2 test-set evaluations for 2 retrained networks" in page
    after = status(read_search(made, "made"))
    assert {**after, "bytes": 0} == {**before, "bytes": 0}  # no session has grown longer, and no pass is counted
    call(made, "--examples")
    page = call(made)
    assert "looked at 2 times" in page and not pictures(page) and "hpsearch report --examples" in page


def test_without_the_dataset_nothing_is_recorded_and_the_page_says_why(made, capsys):
    path = made / "made" / "search.json"
    path.write_text(path.read_text().replace('"dataset": "digits"', '"dataset": "/nowhere"'))
    before = lines(made)
    page = call(made, "--examples")
    gone = "the images of made were in /nowhere, which is not here: say with --dataset"
    assert f"There are no examples of its mistakes: {gone}" in page
    assert "which is not here" in capsys.readouterr().err
    assert lines(made) == before and not pictures(page)
    page = call(made, "--examples", "--dataset", "digits")  # where they are now
    assert len(lines(made)) == len(before) + 1 and pictures(page)
    with pytest.raises(HpsearchError, match="--dataset says where the images of --examples are"):
        call(made, "--dataset", "digits")


def test_other_images_than_those_of_the_search_are_not_looked_at(made):
    path = made / "made" / "search.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1').replace('"fingerprint": "', '"fingerprint": "f'))
    before = lines(made)
    assert "has changed since made began" in call(made, "--examples")
    assert lines(made) == before


def test_winners_of_different_test_images_have_no_examples(made):
    path = made / "made" / "ledger.jsonl"
    with Ledger(path) as book:
        tested = next(each for each in reversed(book.events) if each.kind == "tested")
        book.append(replace(tested, fingerprint="a", images=tested.images - 1))
    before = lines(made)
    page = call(made, "--examples")
    assert "There are no examples of its mistakes: its winners were tested on different images." in page
    assert lines(made) == before and not pictures(page)


def test_a_search_at_work_is_not_written_to(made):
    with Ledger(made / "made" / "ledger.jsonl"):
        assert "made is running in another process" in call(made, "--examples")


def test_examples_are_on_the_page_of_one_search(made):
    with pytest.raises(HpsearchError, match="--examples are on the page of one search"):
        call(made, "--examples", "--format", "md")


def test_mistakes_come_by_how_many_and_their_images_by_how_sure():
    labels = np.array([0, 0, 0, 1, 1, 2])
    probabilities = np.array(
        [[0.9, 0.1, 0], [0.4, 0.6, 0], [0.2, 0.8, 0], [0.7, 0.3, 0], [0.1, 0.9, 0], [0.3, 0.3, 0.4]]
    )
    first, second = mistakes(labels, probabilities)
    assert (first.label, first.predicted, first.images.tolist()) == (0, 1, [2, 1])
    assert (second.label, second.predicted, second.images.tolist()) == (1, 0, [3])
