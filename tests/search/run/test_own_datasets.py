"""A search on a user's own images: what the files are taken for, and what is found before anything is trained."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.history import store
from search.history.store import Request
from search.run.foresee import dry_run
from search.run.launch import launch, resume
from search.run.retrain import Again, retrain
from search.run.session import Options
from tests.trainables.data.pictures import class_folders, encoded, parquet, picture, zipped
from trainables.data import find
from trainables.data.formats import find_files
from trainables.data.images import DatasetError

INLINE = Options(engine="inline")
WINNER = {
    "network": {"name": "cnn5", "width": 0.125},
    "optimizer": {"name": "sgd", "lr": 0.1},
    "training": {"batch_size": 32},
}


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Twenty images to train on, six to validate and four to test, and a file that is no image."""
    for part, count in (("train", 10), ("val", 3), ("test", 2)):
        class_folders(tmp_path / "pets" / part, per_class=count, size=(16, 16))
    (tmp_path / "pets" / "train" / "cat" / "notes.txt").write_text("a tabby")
    return tmp_path / "pets"


def request(dataset: Path, folder: Path, **changes: object) -> Request:
    (folder / "space.jsonl").write_text(json.dumps(WINNER) + "\n")
    asked = {"samples": 1, "epochs": 1, "augment": "none", "data_dir": str(folder / "data")} | changes
    return Request(space=str(folder / "space.jsonl"), dataset=str(dataset), **asked)


def test_a_dataset_that_brings_validation_images_is_validated_on_them(tmp_path, pets, capsys):
    outcome = launch(request(pets, tmp_path), INLINE, results=tmp_path, name="one")
    assert outcome.reason == "finished"
    line = (
        "labels from folder names (2 classes), validation from val/, test from test/, "
        "1 file that is no image (1 .txt) left out"
    )
    assert line in capsys.readouterr().err.splitlines()
    data = store.find(tmp_path, "one").facts["data"]
    assert (data["num_train"], data["num_validation"]) == (20, 6)
    assert data["taken"] == {
        "labels": "folder names",
        "num_classes": 2,
        "validation": "val/",
        "test": "test/",
        "left_out": ["1 file that is no image (1 .txt)"],
        "bits": None,
    }


def test_the_scale_of_sixteen_bits_is_said_and_kept(tmp_path, capsys):
    for name in ("cat", "dog"):
        (tmp_path / "deep" / name).mkdir(parents=True)
        for number in range(5):
            values = np.random.default_rng(number).integers(0, 4096, (16, 16)).astype(np.uint16)
            Image.fromarray(values).save(tmp_path / "deep" / name / f"{number}{name}.png")
    for name in ("decoded", "cached"):
        launch(request(tmp_path / "deep", tmp_path), INLINE, results=tmp_path, name=name)
        assert "test from 20% of train, the lower 12 of 16 bits of grey scaled to 8\n" in capsys.readouterr().err
        assert store.find(tmp_path, name).facts["data"]["taken"]["bits"] == 12


def test_the_files_are_looked_for_once_and_a_file_is_a_dataset(tmp_path, pets, monkeypatch):
    looked = []
    monkeypatch.setattr(find, "find_files", lambda root, columns: looked.append(root) or find_files(root, columns))
    file = zipped(pets, tmp_path / "pets.zip")
    for place in (pets, file):
        launch(request(place, tmp_path), INLINE, results=tmp_path / "results", name=place.name.replace(".", "-"))
    assert looked == [pets, file]
    first, second = (store.find(tmp_path / "results", name) for name in ("pets", "pets-zip"))
    assert first.facts["data"] == second.facts["data"]
    assert resume(second, INLINE, samples=2).reason == "finished"
    moved = replace(second, request=replace(second.request, dataset=str(pets)))
    assert resume(moved, INLINE, samples=3).reason == "finished"
    file.unlink()
    with pytest.raises(DatasetError, match=r"were in .*pets.zip, which is not here: say with --dataset"):
        resume(second, INLINE, samples=4)


def test_images_that_look_wrong_give_a_warning_that_is_kept(tmp_path, capsys):
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(5):
            picture(number, size=(16, 16)).save(tmp_path / "pets" / name / f"{number}.png")
    launch(request(tmp_path / "pets", tmp_path), INLINE, results=tmp_path, name="one")
    (line,) = store.find(tmp_path, "one").facts["data"]["warnings"]
    assert "also occur in another class" in line and f"warning: {line}\n" in capsys.readouterr().err


def test_a_retrain_leaves_given_validation_images_out(tmp_path, pets):
    launch(request(pets, tmp_path), INLINE, results=tmp_path, name="one")
    _, (run,) = retrain(store.find(tmp_path, "one"), INLINE, Again(epochs=1), top=1, distinct=False)
    assert [each.images for each in run.measurements] == [20]
    assert run.test.images == 4


def test_a_search_does_not_go_on_with_other_validation_images(tmp_path, pets):
    launch(request(pets, tmp_path), INLINE, results=tmp_path, name="one")
    picture(99, size=(16, 16)).save(pets / "val" / "dog" / "0.png")
    with pytest.raises(DatasetError, match="has changed since one began"):
        resume(store.find(tmp_path, "one"), INLINE, samples=2)


def test_a_search_that_began_without_them_goes_on_without_them(tmp_path, pets):
    (pets / "val").rename(tmp_path / "later")
    launch(request(pets, tmp_path), INLINE, results=tmp_path, name="one")
    (tmp_path / "later").rename(pets / "val")
    search = store.find(tmp_path, "one")
    assert (search.facts["data"]["num_train"], search.facts["data"]["num_validation"]) == (16, 4)
    assert resume(search, INLINE, samples=2).reason == "finished"


def test_a_limit_takes_from_the_training_images_alone(tmp_path, pets):
    launch(request(pets, tmp_path, limit_train=8), INLINE, results=tmp_path, name="one")
    data = store.find(tmp_path, "one").facts["data"]
    assert (data["num_train"], data["num_validation"]) == (8, 6)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Parquet files whose test labels are not shared."""
    images = [encoded(picture(number, size=(16, 16))) for number in range(20)]
    parquet(tmp_path / "set" / "train.parquet", images, [0, 1] * 10, names=("cat", "dog"))
    parquet(tmp_path / "set" / "test.parquet", images[:4], [-1] * 4, names=("cat", "dog"))
    return tmp_path / "set"


def test_test_labels_that_are_not_shared_are_found_at_launch(tmp_path, secret):
    for begin in (
        lambda: launch(request(secret, tmp_path), INLINE, results=tmp_path / "results", name="one"),
        lambda: dry_run(request(secret, tmp_path), results=tmp_path, parallel=1),
    ):
        with pytest.raises(DatasetError, match="every test class must occur in train.*the first is -1"):
            begin()
    assert not (tmp_path / "results").exists() and not (tmp_path / "data").exists()


def test_test_images_that_cannot_be_used_are_found_at_launch(tmp_path, pets, capsys):
    good = (pets / "test" / "dog" / "1.png").read_bytes()
    for broken, said in (
        (b"no image", "image must be readable: 1 of 4 .*1.png: not a PNG"),
        (encoded(picture(0, size=(9, 9))), "all images must have one size.*9×9, 16×16"),
    ):
        (pets / "test" / "dog" / "1.png").write_bytes(broken)
        with pytest.raises(DatasetError, match=said):
            dry_run(request(pets, tmp_path), results=tmp_path, parallel=1)
    (pets / "test" / "dog" / "1.png").write_bytes(good[:60])  # a header alone: a launch does without the pixels
    assert launch(request(pets, tmp_path), INLINE, results=tmp_path, name="one").reason == "finished"
    assert "note: could not check for test images in the training set: every image" in capsys.readouterr().err
    assert not {"duplicates", "num_test_hashed"} & set(store.find(tmp_path, "one").facts["data"])


def test_test_images_that_are_trained_on_too_are_counted_said_and_kept(tmp_path, pets, capsys):
    for number, file in enumerate(sorted((pets / "test").rglob("*.png"))):
        picture(900 + number, size=(16, 16)).save(file)
    launch(request(pets, tmp_path), INLINE, results=tmp_path, name="none")
    assert "pixel for pixel" not in capsys.readouterr().err
    shutil.copy(pets / "train" / "dog" / "3.png", pets / "test" / "cat" / "0.png")
    found = launch(request(pets, tmp_path), INLINE, results=tmp_path, name="one")
    told = capsys.readouterr().err
    assert "warning: 1 of 4 test images also occurs in the training set, identical pixel for pixel" in told
    kept = [store.find(tmp_path, name).facts["data"] for name in ("none", "one")]
    assert [(data["duplicates"], data["num_test_hashed"]) for data in kept] == [(0, 4), (1, 4)]
    assert found.record.test_passes == 0, "what is hashed is no test pass"


def test_test_labels_that_have_changed_are_found_before_a_retrain_trains(tmp_path, secret):
    kept = (secret / "test.parquet").read_bytes()
    (secret / "test.parquet").write_bytes((secret / "train.parquet").read_bytes())
    launch(request(secret, tmp_path), INLINE, results=tmp_path, name="one")
    (secret / "test.parquet").write_bytes(kept)
    search = store.find(tmp_path, "one")
    before = search.ledger.read_bytes()
    with pytest.raises(DatasetError, match="the first is -1"):
        retrain(search, INLINE, Again(epochs=1), top=1, distinct=False)
    assert search.ledger.read_bytes() == before
