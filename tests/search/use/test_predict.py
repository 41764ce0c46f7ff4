"""What winners say of files is what they say of the same pixels in a dataset."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from search.cli.types import OptionError
from search.cli.using import predict
from search.history.store import retrain_folder
from search.run.images import part_images
from search.use import winners
from search.use.images import files_of
from search.use.winners import UseError
from trainables.augment import normalise


def run(results, *words):
    return CliRunner().invoke(predict, [*map(str, words), "--results", str(results)])


@pytest.fixture
def photos(found, tmp_path):
    """The first four training images as files of different kinds, one that is none, and a text."""
    pixels = part_images(found.search.request, "train").pixels[:4, 0]
    (tmp_path / "photos" / "more").mkdir(parents=True)
    grey = [Image.fromarray(each) for each in pixels]
    grey[0].save(tmp_path / "photos" / "a.png")
    grey[1].convert("RGBA").save(tmp_path / "photos" / "b.png")
    Image.fromarray(pixels[2].astype(np.uint16) * 257).save(tmp_path / "photos" / "c.png")
    grey[3].convert("RGB").save(tmp_path / "photos" / "more" / "d.bmp")
    (tmp_path / "photos" / "broken.png").write_bytes(b"\x89PNG and nothing more")
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    return tmp_path / "photos"


def expected(found, run, *, mirrored=False):
    """Probabilities of the first four training images."""
    model = winners.load(found, run).model.eval()
    images = normalise(torch.from_numpy(np.array(part_images(found.search.request, "train").pixels[:4])))
    with torch.inference_mode():
        return model(images.flip(3) if mirrored else images).softmax(1).numpy()


def probabilities_in(file):
    table = pq.read_table(file)
    assert [Path(path).name for path in table["path"].to_pylist()] == ["a.png", "b.png", "c.png", "d.bmp"]
    found = np.array(table["probabilities"].to_pylist(), np.float32)
    classes = json.loads(table.schema.metadata[b"classes"])
    assert table["class"].to_pylist() == [classes[i] for i in found.argmax(1)]
    assert np.array_equal(np.array(table["probability"].to_pylist(), np.float32), found.max(1))
    return found


def test_a_folder_becomes_a_table_of_every_probability_and_a_damaged_image_is_named(results, found, photos, tmp_path):
    done = run(results, "digits", photos, "--rank", 2, "--out", tmp_path / "out.parquet")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [f"{photos / 'broken.png'}: not a PNG, JPEG, BMP, WEBP, GIF, TIFF, PPM image"]
    second = winners.pick(found, 2)
    np.testing.assert_allclose(probabilities_in(tmp_path / "out.parquet"), expected(found, second), atol=1e-5)


def test_a_folder_has_the_images_that_training_would_take(photos, tmp_path):
    usual = files_of([photos])
    (photos / "._a.png").write_bytes(b"no image")
    for folder in ("__MACOSX", ".ipynb_checkpoints"):
        (photos / folder).mkdir()
        shutil.copy(photos / "a.png", photos / folder)
    assert files_of([photos]) == usual
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(photos / "a.png", tmp_path / "elsewhere" / "unnamed")
    (photos / "linked").symlink_to(tmp_path / "elsewhere")
    (photos / "more" / "back").symlink_to(photos)
    assert files_of([photos]) == sorted([*usual, photos / "linked" / "unnamed"])


def test_the_five_most_probable_classes_are_shown_best_first(results, found, photos):
    done = run(results, photos / "b.png", photos / "a.png", "--json")
    rows = json.loads(done.output)
    assert [row["path"] for row in rows] == [str(photos / "b.png"), str(photos / "a.png")]
    first = expected(found, winners.pick(found, 1))[1]
    classes = found.search.facts["data"]["classes"]
    assert [each["class"] for each in rows[0]["top"]] == [classes[i] for i in np.argsort(-first)[:5]]
    assert rows[0]["top"][0]["probability"] == pytest.approx(float(first.max()), abs=1e-5)
    shown = run(results, photos / "a.png").output
    assert f"{rows[1]['top'][0]['class']} {rows[1]['top'][0]['probability']:.1%}" in shown


def test_an_ensemble_is_the_mean_of_the_last_retrains_winners(results, found, photos, tmp_path):
    run(results, photos, "--ensemble", "--flips", "--out", tmp_path / "out.parquet")
    members = winners.ensemble(found)
    assert [member.weight for member in members] == [0.5, 0.5]
    both = [expected(found, member.run, mirrored=m) for member in members for m in (False, True)]
    np.testing.assert_allclose(probabilities_in(tmp_path / "out.parquet"), np.mean(both, axis=0), atol=1e-5)


def test_predictions_say_whether_mirror_images_count(results, photos, tmp_path):
    for option, flips in (((), False), (("--flips",), True)):
        run(results, photos, *option, "--out", tmp_path / "out.parquet")
        assert pq.read_schema(tmp_path / "out.parquet").metadata[b"flips"] == json.dumps(flips).encode()
        assert {row["flips"] for row in json.loads(run(results, photos, *option, "--json").stdout)} == {flips}
        assert ("averaged with those for the mirror images" in run(results, photos / "a.png", *option).output) is flips


def test_winners_are_ranked_by_validation(found):
    value = {trial: found.record.runs[trial, 0].at_best("val_accuracy") for trial in (0, 1)}
    best = [winners.pick(found, place).key[0] for place in (1, 2)]
    assert best == sorted(value, key=lambda trial: -value[trial])


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (("digits",), OptionError, "say which images"),
        (("photos/broken.png",), OptionError, "the image cannot be read"),
        (("photos/broken.png", "photos/broken.png"), OptionError, "none of these 2 images can be read"),
        (("none.png",), UseError, "there is no image or folder none.png"),
        (("other", "photos/a.png"), OptionError, "'other' is neither a search in .* nor an image"),
        (("photos/a.png", "--rank", 3), UseError, "--rank is 1 to 2, .*; got 3"),
        (("photos/a.png", "--rank", 1, "--ensemble"), OptionError, "give one"),
        (("photos/a.png", "--student", "--ensemble"), OptionError, "give one"),
        (("photos/a.png", "--out", "p.csv"), OptionError, "whose name ends in .parquet; got p.csv"),
        (("photos/a.png", "--student"), UseError, "no student of trial .* yet: hpsearch retrain .* --students 1"),
        (("photos/a.png", "--out", "photos/a.png/x.parquet"), OptionError, "cannot write photos/a.png/x"),
        (("empty",), UseError, "empty holds no images"),
    ],
)
def test_a_wrong_request_is_one_line(results, photos, monkeypatch, words, error, message):
    monkeypatch.chdir(photos.parent)
    Path("empty").mkdir()
    done = run(results, *words)
    with pytest.raises(error, match=message) as caught:
        raise done.exception
    assert "\n" not in str(caught.value) and caught.value.exit_code == 2


def test_weights_that_are_gone_are_said(results, found, photos):
    weights = retrain_folder(found.search.folder, winners.pick(found, 1)) / "model.safetensors"
    kept = weights.rename(weights.with_name("kept"))
    try:
        assert "is gone; restore it" in str(run(results, photos / "a.png").exception)
    finally:
        kept.rename(weights)


def test_an_ensemble_predicts_also_without_the_stored_predictions_of_its_test(results, found, photos, tmp_path):
    whole = run(results, photos / "a.png", "--ensemble", "--json").output
    path = retrain_folder(found.search.folder, winners.pick(found, 1)) / "predictions.parquet"
    kept = path.rename(tmp_path / "kept")
    try:
        assert run(results, photos / "a.png", "--ensemble", "--json").output == whole
    finally:
        kept.rename(path)
