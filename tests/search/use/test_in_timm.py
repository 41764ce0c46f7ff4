"""timm builds a winner from its folder."""

import numpy as np
import pytest
import torch
from PIL import Image

from search.history.store import retrain_folder
from search.run.images import part_images
from search.use import winners
from trainables.augment import normalise

timm = pytest.importorskip("timm")


def test_timm_loads_the_folder_of_a_winner_and_its_transforms_are_the_trainings(found):
    import search.use.in_timm  # noqa: F401

    winner = winners.pick(found, 1)
    model = timm.create_model(f"local-dir:{retrain_folder(found.search.folder, winner)}", pretrained=True).eval()
    pixels = np.array(part_images(found.search.request, "train").pixels[:3])
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    prepared = torch.stack([transform(Image.fromarray(each[0])) for each in pixels])
    torch.testing.assert_close(prepared, normalise(torch.from_numpy(pixels)).contiguous())
    with torch.inference_mode():
        expected = winners.load(found, winner).model.eval()(normalise(torch.from_numpy(pixels)))
        torch.testing.assert_close(model(prepared), expected)
    assert list(model.pretrained_cfg["label_names"]) == found.search.facts["data"]["classes"]
    assert model.num_classes == len(model.pretrained_cfg["label_names"])
