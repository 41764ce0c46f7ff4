"""A search goes on where its images, its cache and its user's home are elsewhere; on the inline engine."""

import json
import shutil
from functools import partial

import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.commands import INLINE, LAUNCH_INLINE, forked, loaded
from trainables.data.images import Images
from trainables.data.load import load

#: Out of time after its first epoch, so that there is something to go on with.
SHORT = (
    *("--space", "cnn5", "--samples", "2", "--epochs", "2", "--augment", "none", "--scheduler", "none"),
    *("--max-time", "0.0001", *LAUNCH_INLINE),
)
run = partial(forked, check=False)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder to stand in, with the home of somebody who is not the one that began."""
    monkeypatch.delenv("HPSEARCH_DATA", raising=False)
    (tmp_path / "bob").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "bob"))
    return tmp_path


def put(images: Images, folder):
    """Class folders of PNG files."""
    for number, (pixels, label) in enumerate(zip(images.pixels, images.labels, strict=True)):
        place = folder / "train" / str(label)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[0]).save(place / f"{number:03}.png")


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A search on a folder of images that has moved since."""
    home = tmp_path_factory.mktemp("begun")
    put(load("digits", "train", data_dir=home / "digits").take(np.arange(100)), home / "mine")
    done = run("launch", "--dataset", "mine", *SHORT, "--name", "x", cwd=home, HPSEARCH_DATA=str(home / "cache"))
    assert "out of time" in done.stderr, done.stderr
    return (home / "mine").rename(home / "archive").parent


@pytest.fixture
def moved(begun, home):
    """A copy of that search and of its images."""
    for name in ("results", "archive"):
        shutil.copytree(begun / name, home / name)
    return home


def test_on_another_machine_the_cache_is_that_machines_own(home):
    """The first one's home is gone, and a folder of that name cannot be made."""
    storage = ("--storage", home / "store")
    (home / "alice").mkdir()
    begun = run(
        "launch", "--dataset", "digits", "--limit-train", "100", *SHORT, *storage, "--name", "x", "--results", "one",
        cwd=home, HOME=str(home / "alice"),
    )  # fmt: skip
    assert "out of time" in begun.stderr, begun.stderr
    shutil.rmtree(home / "alice")
    (home / "alice").touch()
    shutil.rmtree(home / "one")
    done = run("resume", *storage, "--results", "two", *INLINE, cwd=home)
    assert done.returncode == 0, done.stderr
    assert (home / "bob" / ".cache" / "hpsearch" / "cache").is_dir()
    named = run("retrain", "--results", "two", "--top", "1", "--epochs", "1", *INLINE, cwd=home, HPSEARCH_DATA="named")
    assert named.returncode == 0, named.stderr
    assert (home / "named" / "cache").is_dir()


@pytest.mark.parametrize("verb", ["resume", "retrain"])
def test_images_that_are_gone_are_asked_for(begun, moved, verb):
    done = run(verb, "x", *INLINE, cwd=moved)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"{begun / 'mine'}, which is not here: say with --dataset" in done.stderr


def test_images_elsewhere_are_the_same_by_their_fingerprint(moved):
    before = json.loads((moved / "results" / "x" / "search.json").read_text())["request"]
    done = run("resume", "x", "--dataset", "archive", *INLINE, cwd=moved)
    assert done.returncode == 0, done.stderr
    assert (loaded(moved, "x").trials.state == "done").all()
    assert f"hpsearch retrain x --top 3 --dataset {moved / 'archive'}" in done.stdout
    again = run("retrain", "x", "--top", "1", "--epochs", "1", "--dataset", "archive", *INLINE, cwd=moved)
    assert again.returncode == 0, again.stderr
    assert json.loads((moved / "results" / "x" / "search.json").read_text())["request"] == before


def test_other_images_are_refused(moved):
    next((moved / "archive" / "train" / "3").iterdir()).unlink()
    done = run("resume", "x", "--dataset", "archive", *INLINE, cwd=moved)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "fingerprint differs" in done.stderr
