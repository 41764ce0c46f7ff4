"""The image cache: what was stored comes back, and what was damaged does not."""

import json
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from trainables.data.cache import cached
from trainables.data.images import DatasetError, Images, fingerprint


def some_images(seed: int = 0) -> Images:
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (12, 3, 5, 4), dtype=np.uint8)
    return Images(pixels, np.arange(12) % 3, ("cat", "dog", "emu"))


def no_build() -> Images:
    raise AssertionError("built although it is stored")


def test_what_was_built_is_mapped_from_then_on(tmp_path: Path) -> None:
    built = cached(tmp_path, "a", some_images)
    stored = cached(tmp_path, "a", no_build)
    assert fingerprint(built) == fingerprint(stored) == fingerprint(some_images())
    assert stored.shape == (3, 5, 4) and len(stored) == 12
    assert stored.pixels.dtype == np.uint8 and stored.labels.dtype == np.int64
    assert not stored.pixels.flags.writeable


def test_mapped_arrays_are_pickled_without_a_copy(tmp_path: Path) -> None:
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(cached(tmp_path, "a", some_images), protocol=5, buffer_callback=buffers.append)
    assert len(buffers) == 2
    assert fingerprint(pickle.loads(pickled, buffers=buffers)) == fingerprint(some_images())


def flip_a_byte(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-3] ^= 255
    file.write_bytes(data)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def replace_by_pickle(file: Path) -> None:
    np.save(file, np.array([print], dtype=object), allow_pickle=True)


def replace_by_archive(file: Path) -> None:
    with file.open("wb") as opened:
        np.savez(opened, np.zeros(3))


def rename_a_class(file: Path) -> None:
    file.write_text(file.read_text().replace("cat", "cut"))


def nest(file: Path) -> None:
    file.write_text("[" * 100_000)


def drop_a_key(file: Path) -> None:
    file.write_text(json.dumps({"classes": ["cat"]}))


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("a.pixels.npy", flip_a_byte),
        ("a.pixels.npy", truncate),
        ("a.pixels.npy", empty),
        ("a.pixels.npy", replace_by_pickle),
        ("a.pixels.npy", replace_by_archive),
        ("a.pixels.npy", Path.unlink),
        ("a.labels.npy", flip_a_byte),
        ("a.labels.npy", truncate),
        ("a.json", truncate),
        ("a.json", empty),
        ("a.json", drop_a_key),
        ("a.json", rename_a_class),
        ("a.json", nest),
    ],
)
def test_a_damaged_file_is_built_anew_with_one_line_of_warning(tmp_path: Path, file: str, damage) -> None:
    cached(tmp_path, "a", some_images)
    damage(tmp_path / file)
    with pytest.warns(UserWarning, match="damaged and is rebuilt") as caught:
        images = cached(tmp_path, "a", some_images)
    assert len(caught) == 1 and "\n" not in str(caught[0].message)
    assert fingerprint(images) == fingerprint(some_images())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cached(tmp_path, "a", no_build)


def test_an_absent_manifest_means_not_stored(tmp_path: Path) -> None:
    cached(tmp_path, "a", some_images)
    (tmp_path / "a.json").unlink()
    assert fingerprint(cached(tmp_path, "a", lambda: some_images(1))) == fingerprint(some_images(1))


def test_a_kill_while_writing_leaves_nothing_that_is_taken_for_whole(tmp_path: Path) -> None:
    program = """
import os, sys
from pathlib import Path
import numpy as np
from trainables.data.cache import cached
from trainables.data.images import Images

def save_half(file, array, allow_pickle):
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), 9)

np.save = save_half
cached(Path(sys.argv[1]), "a", lambda: Images(np.zeros((2, 1, 3, 3), np.uint8), np.arange(2), ("x", "y")))
"""
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert killed.returncode == -9
    assert [file.suffix for file in tmp_path.iterdir() if file.name != ".lock"] == [".tmp"]
    assert fingerprint(cached(tmp_path, "a", some_images)) == fingerprint(some_images())
    assert sorted(file.name for file in tmp_path.iterdir()) == [".lock", "a.json", "a.labels.npy", "a.pixels.npy"]


@pytest.mark.parametrize("room", [100, 900])  # bytes; the pixels take 848 with their header, the labels 224
def test_an_entry_that_cannot_be_written_leaves_nothing(tmp_path: Path, room: int) -> None:
    program = """
import resource, sys
from pathlib import Path
import numpy as np
from trainables.data.cache import cached
from trainables.data.images import DatasetError, Images

room = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
classes = tuple(f"a class with a long name {number}" for number in range(50))  # the manifest takes most
try:
    cached(Path(sys.argv[1]), "a", lambda: Images(np.zeros((12, 3, 5, 4), np.uint8), np.arange(12), classes))
except DatasetError as error:
    print(error)
"""
    command = [sys.executable, "-c", program, str(tmp_path), str(room)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "with room for the images" in said
    assert [file.name for file in tmp_path.iterdir()] == [".lock"]


def test_processes_that_start_together_build_once(tmp_path: Path) -> None:
    program = """
import sys, time
from pathlib import Path
import numpy as np
from trainables.data.cache import cached
from trainables.data.images import Images, fingerprint

def build():
    print("built")
    time.sleep(0.3)
    return Images(np.ones((2, 1, 3, 3), np.uint8), np.arange(2), ("x", "y"))

print(fingerprint(cached(Path(sys.argv[1]), "a", build)))
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    lines = [line for process in processes for line in process.communicate()[0].split()]
    assert lines.count("built") == 1
    assert len(lines) == 4 and len(set(lines)) == 2


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match=r"cache folder .*file.cache must be writable.*--data-dir or HPSEARCH_DATA"):
        cached(tmp_path / "file" / "cache", "a", some_images)
