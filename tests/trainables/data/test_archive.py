"""Archives: read as folders, and as safe as a download."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.trainables.data.pictures import class_folders, good, refused, shard, tarred, zipped
from trainables.data import archive, members
from trainables.data.archive import Archive, Packed
from trainables.data.formats.listing import entries
from trainables.data.images import DatasetError
from trainables.data.load import load

EVERY_KIND = ("a.zip", "a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz")


def packed(folder: Path, file: Path) -> Path:
    kind = file.suffix.removeprefix(".")
    return zipped(folder, file) if kind == "zip" else tarred(folder, file, "w" if kind == "tar" else f"w:{kind}")


@pytest.mark.parametrize("name", EVERY_KIND)
def test_an_archive_is_walked_and_read_like_a_folder(tmp_path: Path, name: str) -> None:
    root = class_folders(tmp_path / "pets", per_class=2)
    (root / "notes").write_text("of no kind that is known")
    found = Archive(packed(root, tmp_path / name)).root
    assert [(each.name, each.is_dir()) for each in entries(found)] == [("cat", True), ("dog", True), ("notes", False)]
    assert [str(each) for each in entries(found / "dog") if isinstance(each, Packed)] == [
        f"{tmp_path / name}/dog/0.png",
        f"{tmp_path / name}/dog/1.png",
    ]
    assert (found / "cat" / "1.png").read_bytes() == (root / "cat" / "1.png").read_bytes()
    assert (found / "notes").start() == b"of no kind that is known"[: archive.START_BYTES]
    assert not (found / "emu").exists() and (found / "cat" / "1.png").parent == found / "cat"


@pytest.mark.parametrize("name", EVERY_KIND)
def test_nothing_is_unpacked_to_disk(tmp_path: Path, name: str) -> None:
    packed(class_folders(tmp_path / "pets"), tmp_path / "data" / name)
    before = set(tmp_path.rglob("*"))
    load(str(tmp_path / "data" / name), "train", data_dir=tmp_path / "home")
    assert {path.suffix for path in set(tmp_path.rglob("*")) - before} == {"", ".json", ".npy"}


def tar_member(change: Callable[[tarfile.TarInfo], None]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        with tarfile.open(folder / "evil.tar", "w") as opened:
            info = tarfile.TarInfo("cat/0.png")
            change(info)
            opened.addfile(info, io.BytesIO(bytes(info.size)))
        return folder / "evil.tar"

    return write


def zip_member(name: str, mode: int = 0) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "evil.zip", "w") as opened:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, mode << 16
            opened.writestr(info, "/etc/passwd")
        return folder / "evil.zip"

    return write


def of_kind(kind: bytes) -> Callable[[tarfile.TarInfo], None]:
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname = kind, "../secret.png"

    return change


def named(name: str) -> Callable[[tarfile.TarInfo], None]:
    return lambda info: setattr(info, "name", name)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (tar_member(named("../0.png")), "stay inside it, which '../0.png'"),
        (tar_member(named("/etc/0.png")), "stay inside it, which '/etc/0.png'"),
        (tar_member(named("cat/../../0.png")), "stay inside it"),
        (zip_member("../0.png"), "stay inside it, which '../0.png'"),
        (zip_member("..\\0.png"), "stay inside it"),
        (zip_member("C:\\0.png"), "stay inside it"),
        (zip_member("cat/0.png", stat.S_IFLNK | 0o777), "'cat/0.png' in .* is a link or a device"),
        (tar_member(of_kind(tarfile.SYMTYPE)), "is a link or a device"),
        (tar_member(of_kind(tarfile.LNKTYPE)), "is a link or a device"),
        (tar_member(of_kind(tarfile.CHRTYPE)), "is a link or a device"),
        (tar_member(of_kind(tarfile.FIFOTYPE)), "is a link or a device"),
    ],
)
def test_what_an_archive_of_images_never_holds_is_refused(
    tmp_path: Path, write: Callable[[Path], Path], said: str
) -> None:
    with pytest.raises(DatasetError, match=said):
        Archive(write(tmp_path))


def test_a_name_that_is_held_twice_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "twice.tar", "w") as opened:
        for _ in range(2):
            opened.addfile(tarfile.TarInfo("cat/0.png"))
    with pytest.raises(DatasetError, match=r"'cat/0.png' more than once"):
        Archive(tmp_path / "twice.tar")
    with tarfile.open(tmp_path / "both.tar", "w") as opened:
        for name in ("cat", "cat/0.png"):
            opened.addfile(tarfile.TarInfo(name))
    with pytest.raises(DatasetError, match="more than once"):
        Archive(tmp_path / "both.tar")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_tar_that_unpacks_to_far_more_than_images_do_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(members, "MOST_UNPACKED", 1 << 20)
    plain = shard(tmp_path / "plain", {"cat/0.png": bytes(4 << 20)})
    (tmp_path / "bomb.tgz").write_bytes(pack(plain.read_bytes()))
    assert "unpacks to more than 100 times its size" in refused(tmp_path / "bomb.tgz", tmp_path)


def test_a_zip_that_unpacks_to_far_more_than_images_do_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "MOST_UNPACKED", 1 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("cat/0.png", bytes(4 << 20))
    assert "unpacks to more than 100 times its size" in refused(tmp_path / "bomb.zip", tmp_path)


def test_zeros_after_the_end_of_a_packed_tar_are_limited_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "MOST_UNPACKED", 1 << 20)
    plain = tarred(class_folders(tmp_path / "pets"), tmp_path / "plain").read_bytes()
    (tmp_path / "bomb.tgz").write_bytes(gzip.compress(plain + bytes(8 << 20)))
    assert "unpacks to more than 100 times its size" in refused(tmp_path / "bomb.tgz", tmp_path)


def test_a_file_that_is_larger_than_an_image_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBER", 50)
    assert "0 MiB" in refused(zipped(class_folders(tmp_path / "pets"), tmp_path / "pets.zip"), tmp_path)


@pytest.mark.parametrize("name", EVERY_KIND)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_download_that_was_cut_is_called_so(tmp_path: Path, name: str, share: float) -> None:
    file = packed(class_folders(tmp_path / "pets"), tmp_path / name)
    whole = file.read_bytes()
    if name == "a.tar":
        whole = whole.rstrip(b"\0")  # tar files are filled up with zeros, of which some may go
    file.write_bytes(whole[: int(len(whole) * share)])
    assert "was its download cut?" in refused(file, tmp_path)


def test_a_tar_that_ends_between_two_files_is_cut(tmp_path: Path) -> None:
    file = shard(tmp_path / "a.tar", {"cat/0.png": good(0), "dog/0.png": good(1)})
    file.write_bytes(file.read_bytes()[:1024])
    assert "it is cut short" in refused(file, tmp_path)


def test_a_tar_that_goes_on_after_its_end_is_refused(tmp_path: Path) -> None:
    halves = [shard(tmp_path / f"{name}.tar", {f"{name}/0.png": good(0)}).read_bytes() for name in ("cat", "dog")]
    (tmp_path / "joined.tar").write_bytes(b"".join(halves))
    assert "continues after its end, as two joined files do" in refused(tmp_path / "joined.tar", tmp_path)


@pytest.mark.parametrize("name", [name for name in EVERY_KIND if name != "a.tar"])  # which has no checksums of content
def test_changed_bytes_are_noticed(tmp_path: Path, name: str) -> None:
    file = packed(class_folders(tmp_path / "pets"), tmp_path / name)
    damaged = bytearray(file.read_bytes())
    for at in range(len(damaged) // 3, len(damaged) // 2):
        damaged[at] ^= 255
    file.write_bytes(damaged)
    assert "must be" in refused(file, tmp_path)


def test_a_zip_with_a_password_is_refused(tmp_path: Path) -> None:
    file = zipped(class_folders(tmp_path / "pets"), tmp_path / "pets.zip")
    data = bytearray(file.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        while at >= 0:
            struct.pack_into("<H", data, at + offset, 1)
            at = data.find(signature, at + 1)
    file.write_bytes(data)
    assert "without a password" in refused(file, tmp_path)


def test_names_that_a_zip_does_not_mark_as_utf_8_are_read_as_they_were_meant(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as opened:
        for name in ("cafe_\\0.png", "the/0.png"):
            info = zipfile.ZipInfo("placeholder")
            info.filename = name
            opened.writestr(info, good(0))
    data = (tmp_path / "old.zip").read_bytes().replace(b"cafe_", "café".encode())
    (tmp_path / "old.zip").write_bytes(data)
    assert sorted(entry.name for entry in entries(Archive(tmp_path / "old.zip").root)) == ["café", "the"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "a web page, as a failed download leaves"),
        (b"", "is empty"),
        (bytes(900), "nothing but zeros"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x93NUMPY\x01\0", "one array of NumPy"),
        (gzip.compress(b"no tar file", mtime=0), "something else, which begins with b'"),
        (b"no archive at all", "something else, which begins with b'no archi'"),
    ],
)
def test_a_file_that_is_not_read_is_called_by_its_name(tmp_path: Path, content: bytes, said: str) -> None:
    for place in (tmp_path / "pets.zip", tmp_path / "folder" / "pets.tar.gz"):
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content)
        message = refused(place, tmp_path)
        assert said in message and "metadata.csv" in message
    assert said in refused(tmp_path / "folder", tmp_path)
