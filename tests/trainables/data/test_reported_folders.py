"""Folders of images that gave people trouble elsewhere, rebuilt small, and what is said of each.

The reports are public; each name is a repository's and the number of the report in it.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainables.data.pictures import class_folders, encoded, picture, shard
from trainables.data.find import find, survey_of
from trainables.data.formats.format import AS_NAMED
from trainables.data.images import DatasetError
from trainables.data.load import load_own

REPORTS: dict[str, tuple[Callable[[Path], Path], str]] = {}
SIZE = (32, 32)
HELD_OUT = "validation from 20% of train, test from 20% of train"


def report(name: str, said: str) -> Callable[[Callable[[Path], Path]], Callable[[Path], Path]]:
    """Register the folder of a report, and a part of what is said of it."""

    def register(build: Callable[[Path], Path]) -> Callable[[Path], Path]:
        REPORTS[name] = (build, said)
        return build

    return register


def pets(root: Path, per_class: int = 10, classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    return class_folders(root, per_class=per_class, classes=classes, size=SIZE)


@report("pytorch/vision#2831", f"labels from folder names (2 classes), {HELD_OUT}")
def a_notebook_s_hidden_folder_beside_the_classes(root: Path) -> Path:
    pets(root)
    (root / ".ipynb_checkpoints").mkdir()
    picture(0).save(root / ".ipynb_checkpoints" / "0-checkpoint.png")
    return root


@report("pytorch/vision#2218", "16 bits of grey scaled to 8")
def grey_images_of_sixteen_bits(root: Path) -> Path:
    for number, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for i in range(10):
            values = np.random.default_rng(10 * number + i).integers(0, 1 << 16, SIZE).astype(np.uint16)
            Image.fromarray(values).save(root / name / f"{i}.png")
    return root


@report("python-pillow/Pillow#4807", f"labels from folder names (2 classes), {HELD_OUT}")
def a_second_file_for_each_image_from_a_mac(root: Path) -> Path:
    for file in sorted(pets(root).glob("*/*.png")):
        file.with_name(f"._{file.name}").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X")
    return root


@report("keras-team/keras#17182", f"labels from folder names (2 classes), {HELD_OUT}")
def tiff_and_webp_images(root: Path) -> Path:
    for number, file in enumerate(sorted(pets(root).glob("*/*.png"))):
        picture(number, size=SIZE).save(file.with_suffix(".tif" if number % 2 else ".webp"))
        file.unlink()
    return root


@report(
    "ultralytics/ultralytics#13936",
    "labels from folder names (4 classes), validation from 20% of train, test from test/",
)
def a_test_part_that_lacks_one_of_the_classes(root: Path) -> Path:
    pets(root / "train", classes=("0", "90", "180", "270"))
    pets(root / "test", per_class=2, classes=("0", "90", "270"))
    return root


@report("fastai/fastai#2336", "test, the test part, does not: its images have no labels")
def images_to_test_in_no_class_folder(root: Path) -> Path:
    pets(root / "train")
    (root / "test").mkdir()
    for number in range(4):
        picture(number, size=SIZE).save(root / "test" / f"{number}.png")
    return root


@report("fastai/fastai2#210", "validation from valid/, test from 20% of train, 1 folder beside train (sample) left out")
def a_sample_with_parts_of_its_own_beside_the_parts(root: Path) -> Path:
    for folder in (root, root / "sample"):
        pets(folder / "train")
        pets(folder / "valid", per_class=4)
    return root


@report("huggingface/datasets#5021", f"labels from column 'label' of metadata.jsonl (2 classes), {HELD_OUT}")
def files_whose_names_speak_of_parts(root: Path) -> Path:
    root.mkdir(parents=True)
    lines = []
    for number in range(20):
        name = f"photo of a {('cat', 'dog', 'train', 'test tube')[number % 4]} {number}.png"
        picture(number, size=SIZE).save(root / name)
        lines.append(f'{{"file_name": "{name}", "label": "{("animal", "thing")[number % 4 // 2]}"}}')
    (root / "metadata.jsonl").write_text("\n".join(lines))
    return root


@report("huggingface/datasets#7880", "the train part, does not: its images have no labels")
def parts_without_classes(root: Path) -> Path:
    for part in ("train", "test"):
        (root / part).mkdir(parents=True)
        for number in range(4):
            picture(number, size=SIZE).save(root / part / f"{number}.png")
    return root


@report("webdataset/webdataset#237", f"labels from .cls files (2 classes), {HELD_OUT}")
def points_in_the_names_of_samples(root: Path) -> Path:
    members: dict[str, bytes | str] = {}
    for number in range(20):
        key = f"Track {number // 10}.{number % 10} (clean)"
        members |= {f"{key}.png": encoded(picture(number, size=SIZE)), f"{key}.cls": str(number % 2)}
    return shard(root / "0000.tar", members).parent


@report("pytorch/vision#669", "images without labels. If dog is a class, give the folder above")
def the_folder_of_one_class_in_place_of_the_one_above(root: Path) -> Path:
    return pets(root) / "dog"


@report("pytorch/vision#4925", "every class folder must hold images")
def an_empty_folder_beside_the_classes(root: Path) -> Path:
    (pets(root) / "empty").mkdir()
    return root


@report("kohya-ss/sd-scripts#1316", f"labels from folder names (2 classes), {HELD_OUT}")
def photos_that_were_turned_by_a_viewer(root: Path) -> Path:
    exif = Image.Exif()
    exif[0x0112] = 6
    for number, file in enumerate(sorted(pets(root).glob("*/*.png"))):
        upright = picture(number, size=(32, 24))
        if number % 2:
            upright.transpose(Image.Transpose.ROTATE_90).save(file, exif=exif)
        else:
            upright.save(file)
    return root


@report("mme/vergeml#9", "every image must be readable: 2 of 16 in ")
def two_images_that_are_empty_files(root: Path) -> Path:
    pets(root)
    for name in ("cat", "dog"):
        for number in range(10):
            file = root / name / f"{number}.png"
            file.rename(file.with_suffix(".jpg"))
    for name in ("cat", "dog"):
        (root / name / "1.jpg").write_bytes(b"")
    return root


@pytest.mark.parametrize("name", REPORTS)
def test_a_reported_folder_is_read_or_refused_in_words(tmp_path: Path, name: str) -> None:
    build, said = REPORTS[name]
    place = str(build(tmp_path / "images"))
    try:
        own = find(place, AS_NAMED)
        images = load_own(own, "train", data_dir=tmp_path)
        line = replace(survey_of(own), bits=images.bits).line(0.2)
    except DatasetError as error:
        line = str(error)
    assert said in line
    assert name != "mme/vergeml#9" or line.endswith("cat/1.jpg: empty")
