"""Winners of a search that lies on a storage alone."""

import json
import shutil

import pytest
from click.testing import CliRunner
from PIL import Image

from search.cli.using import export, predict
from search.history import store
from search.run.images import part_images
from search.storage import claims
from tests.search.storage.drivers import Driver


@pytest.fixture
def place(results, tmp_path):
    """A storage that a finished search with two retrained winners was copied to; its own folder is gone."""
    folder = shutil.copytree(results / "digits", tmp_path / "elsewhere" / "digits")
    claims.begin(str(tmp_path / "storage"), store.find(folder.parent))
    driver = Driver(folder)
    driver.mirror.copy()
    driver.mirror.beat(closed=True)
    driver.die()
    shutil.rmtree(tmp_path / "elsewhere")
    return tmp_path / "storage"


def test_winners_of_a_storage_say_and_are_what_those_of_the_results_folder_are(place, results, found, tmp_path):
    image = tmp_path / "a.png"
    Image.fromarray(part_images(found.search.request, "train").pixels[0, 0]).save(image)

    def run(verb, *words):
        done = CliRunner().invoke(verb, list(map(str, words)), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    here = run(predict, "digits", image, "--ensemble", "--json", "--results", results)
    there = run(predict, "digits", image, "--ensemble", "--json", "--storage", place, "--results", tmp_path / "none")
    assert json.loads(there) == json.loads(here)
    written = [tmp_path / name for name in ("here", "there")]
    run(export, "digits", "--format", "safetensors", "--out", written[0], "--results", results)
    run(export, "--format", "safetensors", "--out", written[1], "--storage", place)
    for name in ("model.safetensors", "config.json", "README.md"):
        assert (written[0] / name).read_bytes() == (written[1] / name).read_bytes()
    assert {path.parent.name for path in place.glob("digits/retrain/*/README.md")} == {"0-1", "1-1"}
