"""hpsearch dataset: what it prints, its JSON and its page."""

import base64
import io
import json
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from architectures.errors import HpsearchError
from search.cli.datasets import dataset
from tests.trainables.data.pictures import class_folders, picture


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """Ten random images to train on, and five to test: one of them is in train, the others are of one colour."""
    place = tmp_path_factory.mktemp("data") / "pets"
    class_folders(place / "train", per_class=5, size=(12, 10))
    for name, colour in (("cat", (1, 2, 3)), ("dog", (250, 251, 252))):
        (place / "test" / name).mkdir(parents=True)
        for number in range(2):
            colour = (*colour[:2], colour[2] + number)
            Image.new("RGB", (12, 10), colour).save(place / "test" / name / f"{number}.png")
    shutil.copy(place / "train" / "cat" / "0.png", place / "test" / "cat" / "copy.png")
    return place


def run(*words, **more):
    return CliRunner().invoke(dataset, [str(word) for word in words], catch_exceptions=False, **more)


def test_it_prints_classes_counts_colours_and_duplicates_in_80_columns(pets, tmp_path, monkeypatch):
    monkeypatch.chdir(pets.parent)
    printed = run("pets", "--data-dir", tmp_path, "--near").output
    assert "2 classes; 10 train, 5 test images of 12×10, colour" in " ".join(printed.split())
    assert re.search(r"cat +5 +3\s+dog +5 +2", printed)
    assert re.search(r"train +green +10 +0\.\d{4} +0\.\d{4}", printed)
    told = "1 of 5 test images also occurs in train, identical pixel for pixel; 0 more nearly"
    assert told in " ".join(printed.split())
    assert "no split holds an image more than once" in printed
    assert "2 pairs of images are nearly the same" in printed
    assert "  test dog (test/dog/0.png) = test dog (test/dog/1.png)" in printed
    assert "  train cat (train/cat/0.png) = test cat (test/cat/copy.png)" in printed
    assert max(len(line) for line in printed.splitlines() if str(pets) not in line) <= 80


def test_images_that_occur_more_than_once_are_counted(tmp_path):
    class_folders(tmp_path / "pets" / "train", per_class=5)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / "test" / name).mkdir(parents=True)
        Image.new("RGB", (6, 5), (len(name), 1, ord(name[0]))).save(tmp_path / "pets" / "test" / name / "0.png")
    cats = tmp_path / "pets" / "train" / "cat"
    for name in ("copy", "another"):
        shutil.copy(cats / "0.png", cats / f"{name}.png")
    printed = run(tmp_path / "pets", "--data-dir", tmp_path).output
    assert "1 image occurs more than once in train, 3 times in all" in printed
    shutil.copy(cats / "1.png", tmp_path / "pets" / "train" / "dog" / "copy.png")
    printed = run(tmp_path / "pets", "--data-dir", tmp_path).output
    assert "2 images occur more than once in train, 5 times in all" in printed
    assert "1 image is in more than one class" in printed


def test_json_holds_all_of_it(pets, tmp_path):
    found = json.loads(run(pets, "--data-dir", tmp_path, "--json").output)
    assert found["classes"] == ["cat", "dog"] and found["superclasses"] is None and found["shape"] == [3, 10, 12]
    assert found["sizes"] == [{"width": 12, "height": 10, "images": 15}]
    assert found["parts"]["test"]["counts"] == [3, 2] and found["taken"]["test"] == "test/"
    (group,) = found["duplicates"]["groups"]
    assert [(copy["part"], copy["class"]) for copy in group] == [("train", "cat"), ("test", "cat")]
    assert group[1]["place"] == str(pets / "test" / "cat" / "copy.png")
    assert found["duplicates"]["also_in_train"] == {"test": 1} and found["duplicates"]["near"] is None


def pictures(page):
    """The pictures of a page as arrays, by what they show."""
    found = re.findall(r'<img src="data:image/png;base64,([^"]+)" alt="([^"]+)"', page)
    return [(alt, np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))) for data, alt in found]


def test_the_page_shows_test_images_only_when_it_is_asked_to(pets, tmp_path):
    file = tmp_path / "pets.html"
    done = run(pets, "--data-dir", tmp_path, "--html", file, "--near")
    assert f"{file}: " in done.output and done.exit_code == 0
    assert "Images that occur more than once" in file.read_text() and "the same image" in file.read_text()
    shown = pictures(file.read_text())
    assert [alt for alt, _ in shown] == ["average of cat", "average of dog", "5 images of cat", "5 images of dog"]
    cats = np.stack([np.asarray(picture(number, size=(12, 10))) for number in range(5)])
    np.testing.assert_allclose(shown[0][1], cats.mean(0), atol=0.51)
    np.testing.assert_array_equal(shown[2][1], np.concatenate(cats, axis=1))

    done = run(pets, "--data-dir", tmp_path, "--html", file, "--near", "--show-test", "--json")
    assert json.loads(done.stdout)["name"] == str(pets) and str(file) in done.stderr
    more = [alt for alt, _ in pictures(file.read_text())][4:]
    assert (
        more[:2] == ["3 images of cat", "2 images of dog"] and sorted(more[2:]) == ["test cat"] * 2 + ["test dog"] * 2
    )
    assert not re.search(r'(src|href)="(?!data:|#)', file.read_text()), "the page needs no other file"


def test_wrong_requests_are_one_line(pets, tmp_path):
    def said(*words):
        with pytest.raises(HpsearchError) as caught:
            run(*words, "--data-dir", tmp_path)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "one of cifar100, cifar100-coarse, cifar10, fashion-mnist, digits or a folder" in said("cifar")
    assert "give --html FILE as well" in said("digits", "--show-test")
    assert "it is a folder; give another --html" in said("digits", "--html", tmp_path)
    assert "pets/train/cat/0.png is a file; give another --html" in said(
        "digits", "--html", pets / "train" / "cat" / "0.png" / "page.html"
    )
    assert "digits has none" in said("digits", "--label", "coarse_label")
