"""An exported winner gives torch's probabilities for any number of images, and says what it takes."""

import json
import sys
import urllib.request
from dataclasses import replace

import numpy as np
import pytest
import torch

from architectures.build import build
from architectures.families import FAMILIES
from search.run.images import part_images
from search.use import winners
from search.use.export import FORMATS, Classifier, difference, export
from search.use.winners import UseError
from tests.architectures.families.smaller import SMALLER
from trainables.config import Config
from trainables.saved_network import Network


@pytest.fixture
def images(found):
    return torch.from_numpy(np.array(part_images(found.search.request, "train").pixels[:7]))


def test_onnx_takes_pixels_and_gives_torchs_probabilities(found, images, tmp_path):
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    winner = winners.pick(found, 1)
    data, told = export(found, winner, "onnx", own_code=False)
    assert told.endswith("on 64 training images")
    about = {each.key: each.value for each in onnx.load_from_string(data).metadata_props}
    assert json.loads(about["classes"]) == found.search.facts["data"]["classes"]
    expected = Classifier(winners.load(found, winner).model).eval()(images)
    session = runtime.InferenceSession(data)
    for number in (1, 7):
        (probabilities,) = session.run(["probabilities"], {"images": images[:number].numpy()})
        np.testing.assert_allclose(probabilities, expected[:number].detach().numpy(), atol=1e-5)


def test_a_program_of_torch_takes_pixels_and_holds_the_names_of_classes(found, images, tmp_path):
    winner = winners.pick(found, 2)
    (tmp_path / "model.pt2").write_bytes(export(found, winner, "pt2", own_code=False)[0])
    about = {"classes": "", "input": ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=about).module()
    assert json.loads(about["classes"]) == found.search.facts["data"]["classes"]
    assert about["input"].startswith("images: uint8")
    torch.testing.assert_close(program(images), Classifier(winners.load(found, winner).model).eval()(images))


def test_a_winner_is_exported_also_where_the_dataset_has_another_shape_now(found):
    request = replace(found.search.request, image_size=8)
    moved = replace(found, search=replace(found.search, request=request))
    _, told = export(moved, winners.pick(found, 1), "pt2", own_code=False)
    assert told.endswith("on 64 images of noise, as the dataset here has another shape")


@pytest.mark.parametrize("folder", [True, False])
@pytest.mark.parametrize("dataset", ["cifar10", "fashion-mnist"])
def test_nothing_is_downloaded_and_no_folder_made_for_an_export(found, tmp_path, monkeypatch, dataset, folder):
    asked = []
    monkeypatch.setattr(urllib.request, "urlopen", lambda request, **_: asked.append(request))
    place = tmp_path / "data"
    if folder:
        place.mkdir()
    request = replace(found.search.request, dataset=dataset, data_dir=str(place))
    elsewhere = replace(found, search=replace(found.search, request=request))
    _, told = export(elsewhere, winners.pick(found, 1), "pt2", own_code=False)
    assert told.endswith("on 64 images of noise, as the dataset is not here")
    assert not asked and place.exists() == folder


@pytest.mark.parametrize("name", ["mlp", "resnet"])
def test_families_of_other_kinds_become_onnx(name):
    pytest.importorskip("onnxruntime")
    shape, classes = (3, 32, 32), 10
    model = build(FAMILIES[name](**SMALLER.get(name, {})), shape, classes).eval()
    config = Config.from_json({"network": {"name": name}, "optimizer": {"name": "sgd", "lr": 0.1}})
    network = Network(model, config, shape, tuple(map(str, range(classes))))
    pixels = torch.randint(0, 256, (3, *shape), dtype=torch.uint8)
    assert difference(FORMATS["onnx"](network, {}), network, pixels) < 1e-5


def test_an_export_that_differs_from_torch_is_refused(found, images):
    winner = winners.load(found, winners.pick(found, 1))
    exported = FORMATS["pt2"](winner, {})
    other = winners.load(found, winners.pick(found, 2))
    with pytest.raises(UseError, match="differs from torch's by"):
        difference(exported, other, images)


def test_onnx_that_is_not_installed_is_named_with_what_installs_it(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UseError, match=r"onnxscript.*pip install 'hpsearch\[onnx\]'"):
        export(found, winners.pick(found, 1), "onnx", own_code=False)
