"""Class folders in zip and tar files."""

from pathlib import Path

import pytest

from tests.trainables.data.pictures import class_folders, encoded, picture, refused, tarred, zipped
from trainables.data.find import survey
from trainables.data.formats.format import AS_NAMED
from trainables.data.images import fingerprint
from trainables.data.load import load


def packed(folder: Path, file: Path) -> Path:
    if file.suffix == ".zip":
        return zipped(folder, file)
    return tarred(folder, file, "w:gz" if file.suffix in (".gz", ".tgz") else "w")


@pytest.mark.parametrize("name", ["pets.zip", "pets.tar", "pets.tar.gz", "pets.tgz"])
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_parts_are_those_of_the_folder(tmp_path: Path, name: str, is_wrapped: bool) -> None:
    root = tmp_path / "unpacked" / "pets"
    for part, count in (("train", 5), ("val", 2), ("test", 1)):
        class_folders(root / part, per_class=count)
    class_folders(root / "__MACOSX")
    (root / "train" / "cat" / "._0.png").write_bytes(b"no image")
    (root / "train" / "cat" / "notes.txt").write_text("a tabby")
    file = packed(root.parent if is_wrapped else root, tmp_path / name)
    for part in ("train", "validation", "test"):
        expected, found = (load(str(place), part, data_dir=tmp_path) for place in (root, file))
        assert fingerprint(found) == fingerprint(expected)
    assert survey(str(file), AS_NAMED) == survey(str(root), AS_NAMED)


def test_a_folder_with_one_archive_is_that_archive(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    zipped(root, tmp_path / "download" / "pets.zip")
    (tmp_path / "download" / "README.md").write_text("pets")
    assert fingerprint(load(str(tmp_path / "download"), "train", data_dir=tmp_path)) == fingerprint(
        load(str(root), "train", data_dir=tmp_path)
    )


def test_archives_that_are_called_as_parts_are_parts(tmp_path: Path) -> None:
    for part, count in (("train", 4), ("test", 1)):
        class_folders(tmp_path / "pets" / part / part, per_class=count)
        zipped(tmp_path / "pets" / part, tmp_path / "packed" / f"{part}.zip")
    assert len(load(str(tmp_path / "packed"), "train", data_dir=tmp_path)) == 8
    assert len(load(str(tmp_path / "packed"), "test", data_dir=tmp_path)) == 2
    found = survey(str(tmp_path / "packed"), AS_NAMED)
    assert (found.test, found.left_out) == ("test/", ())
    class_folders(tmp_path / "packed" / "train")
    assert survey(str(tmp_path / "packed"), AS_NAMED).left_out == ("1 archive beside folders (train.zip)",)


def test_an_archive_beside_what_it_unpacks_to_is_left_out(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "set" / "pets")
    zipped(root, tmp_path / "set" / "pets.zip")
    assert survey(str(tmp_path / "set"), AS_NAMED).left_out == ("1 archive beside folders (pets.zip)",)
    zipped(root, root / "pets.zip")
    assert survey(str(root), AS_NAMED).left_out == ("1 archive beside folders (pets.zip)",)


def test_several_archives_need_the_choice(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    for name in ("a.zip", "b.zip"):
        zipped(root, tmp_path / "set" / name)
    message = refused(tmp_path / "set", tmp_path)
    assert message.endswith(f"it holds a.zip, b.zip: give one of them, --dataset {tmp_path}/set/a.zip")


def test_faults_are_those_of_the_folder(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    (root / "emu").mkdir()
    assert "1 of 3 in" in refused(tarred(root, tmp_path / "pets.tar"), tmp_path)
    for number in range(5):
        (root / "emu" / f"{number}.png").write_bytes(encoded(picture(0))[:60])
    message = refused(zipped(root, tmp_path / "pets.zip"), tmp_path)
    assert "4 of 12" in message and f"{tmp_path}/pets.zip/emu/" in message


def test_an_archive_of_files_without_folders_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    picture(0).save(tmp_path / "pets" / "0.png")
    assert refused(zipped(tmp_path / "pets", tmp_path / "pets.zip"), tmp_path).endswith("give the folder above")


def test_a_changed_archive_is_decoded_again(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets")
    first = load(str(zipped(root, tmp_path / "pets.zip")), "train", data_dir=tmp_path)
    for number in range(5):
        picture(900 + number).save(root / "cat" / f"{number}.png")
    again = load(str(zipped(root, tmp_path / "pets.zip")), "train", data_dir=tmp_path)
    assert fingerprint(again) != fingerprint(first)
