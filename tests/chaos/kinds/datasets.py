"""Images from disk: Parquet files, folders of images, and the cache of both."""

import io
import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from kinds.holding import HERE, Kind, held, outcomes
from kinds.making import JSON, damaged
from trainables.data.images import DatasetError


def load(folder: Path, data_dir: Path = HERE / "data") -> Any:
    """A dataset from a folder, or nothing."""
    from trainables.data import load as loading

    return held(lambda: loading.load(str(folder), "train", data_dir=data_dir), DatasetError)


def pictures(count: int, formats: tuple[str, ...] = ("PNG",)) -> list[bytes]:
    """Small images."""
    from PIL import Image

    found = []
    for number in range(count):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), (number, 2 * number, 3 * number)).save(buffer, formats[number % len(formats)])
        found.append(buffer.getvalue())
    return found


def parquet() -> Kind:
    """Parquet files with bytes changed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = HERE / "table"
    folder.mkdir()
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = pa.array([{"bytes": data, "path": "0.png"} for data in pictures(8)], kind)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"image": rows, "label": [0, 1] * 4}), sink)

    def test(data: bytes) -> None:
        (folder / "train.parquet").write_bytes(data)
        load(folder)

    return st.binary(max_size=300) | damaged(sink.getvalue().to_pybytes()), test


def tables() -> Kind:
    """Parquet files of columns at random."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = HERE / "table"
    folder.mkdir()
    images = st.sampled_from(pictures(3)) | st.binary(max_size=20) | st.none()
    boxed = st.fixed_dictionaries({"bytes": images, "path": st.text(max_size=8) | st.none()})
    cell = [
        images,
        boxed,
        st.integers(-(2**63), 2**63 - 1),
        st.integers(0, 2),
        st.text(max_size=8),
        st.none(),
        st.booleans(),
        st.floats(),
        st.lists(st.integers(0, 3), max_size=2),
        st.dates(),
    ]
    names = st.sampled_from(("img", "labels", "fine_label", "kind", "", "a.b", "bytes"))

    def of(kind: st.SearchStrategy, rows: int) -> st.SearchStrategy[list[Any]]:
        return st.lists(kind, min_size=rows, max_size=rows)

    def with_rows(rows: int) -> st.SearchStrategy[dict[str, list[Any]]]:
        any_column = st.sampled_from(cell).flatmap(lambda kind: of(kind, rows))
        pictured = of(st.sampled_from(pictures(3)), rows)
        return st.builds(
            lambda first, label, more: {"image": first, "label": label} | more,
            pictured | pictured | any_column,
            of(st.integers(0, 2), rows) | of(st.sampled_from("ab"), rows) | any_column,
            st.dictionaries(names, any_column, max_size=2),
        )

    columns = st.integers(0, 8).flatmap(with_rows)
    metadata = JSON.map(json.dumps) | st.just(
        '{"info": {"features": {"label": {"_type": "ClassLabel", "names": ["a"]}}}}'
    )

    def test(example: Any) -> None:
        content, described = example
        try:
            table = pa.table(content).replace_schema_metadata({"huggingface": described})
            pq.write_table(table, folder / "train.parquet")
        except (pa.ArrowException, UnicodeError):  # what Parquet cannot hold
            outcomes["not a table"] += 1
            return
        load(folder)

    return st.tuples(columns, metadata), test


def images() -> Kind:
    """Images with bytes changed."""
    good = pictures(8, ("PNG", "JPEG", "BMP", "WEBP"))
    for number, data in enumerate(good):
        for part in ("train", "test"):
            path = HERE / "images" / part / "ab"[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def test(data: bytes) -> None:
        (HERE / "images" / "train" / "a" / "0.png").write_bytes(data)
        load(HERE / "images")

    return st.sampled_from(good[:4]).flatmap(damaged), test


def caches() -> Kind:
    """The image cache with bytes changed."""
    from trainables.data import load as loading
    from trainables.data.images import fingerprint

    whole = fingerprint(loading.load("digits", "train", data_dir=HERE))
    files = sorted((HERE / "cache").glob("digits*"))
    content = {path: path.read_bytes() for path in files}

    def test(example: tuple[Path, bytes]) -> None:
        path, data = example
        path.write_bytes(data)
        found = held(lambda: loading.load("digits", "train", data_dir=HERE), DatasetError)
        assert found is not None and fingerprint(found) == whole
        for path, data in content.items():
            path.write_bytes(data)

    return st.sampled_from(files).flatmap(lambda path: st.tuples(st.just(path), damaged(content[path]))), test
