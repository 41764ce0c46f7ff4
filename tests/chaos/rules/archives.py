"""Downloaded archives: what a server or a disk gives in place of CIFAR and Fashion-MNIST.

The checksums of the real ones are known, so anything else is refused unopened. What lies behind that wall is tried too:
a sitecustomize module in the command's process makes the known checksum that of the archive at hand.
"""

import gzip
import hashlib
import io
import pickle
import tarfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rules.rule import READ_IMAGES, Done, Place, Rule, runs_when_read, write

CIFAR, FASHION = "cifar-10-python.tar.gz", "FashionMNIST/raw"
IMAGES = "train-images-idx3-ubyte"


def member(name: str, data: bytes = b"evil\n", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """A member of an archive."""
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    info.size = len(data) if info.isreg() else 0
    return info, data


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A compressed tar file of these members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return buffer.getvalue()


EVIL = archive(
    member("../../../outside/evil"), member("/tmp/evil"), member("link", type=tarfile.SYMTYPE, linkname="../../outside")
)


def placed(name: str, content: bytes) -> Callable[[Place], None]:
    """A file where the loader looks for it."""
    return write(f"data/{name}", content)


def trusted(content: bytes) -> Callable[[Place], None]:
    """An archive of CIFAR-10 whose checksum is the one that is known."""

    def breaks(place: Place) -> None:
        placed(CIFAR, content)(place)
        known = f"import torchvision\ntorchvision.datasets.CIFAR10.tgz_md5 = {md5(content)!r}\n"
        write("known/sitecustomize.py", known)(place)
        place.environment["PYTHONPATH"] = str(place.home / "known")

    return breaks


def trusted_fashion(**head: int) -> Callable[[Place], None]:
    """Fashion-MNIST's train images, whose checksum is the one that is known; the labels are good."""
    labels = gzip.compress(b"\x00\x00\x08\x01" + (60000).to_bytes(4, "big") + bytes(range(10)) * 6000)

    def breaks(place: Place) -> None:
        content = gzip.compress(idx(**head), 1)
        placed(f"{FASHION}/{IMAGES}.gz", content)(place)
        placed(f"{FASHION}/train-labels-idx1-ubyte.gz", labels)(place)
        known = (
            "import torchvision\nkind = torchvision.datasets.FashionMNIST\n"
            f"kind.resources = [({IMAGES + '.gz'!r}, {md5(content)!r}), "
            f"('train-labels-idx1-ubyte.gz', {md5(labels)!r}), *kind.resources[2:]]\n"
        )
        write("known/sitecustomize.py", known)(place)
        place.environment["PYTHONPATH"] = str(place.home / "known")

    return breaks


def md5(content: bytes) -> str:
    """Its checksum, as the datasets' authors give it."""
    return hashlib.md5(content).hexdigest()


def served(answer: Callable[[BaseHTTPRequestHandler], None]) -> Callable[[Place], None]:
    """A server in place of the real one."""

    def breaks(place: Place) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    answer(self)
                except OSError:
                    self.close_connection = True  # the client has hung up

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place.stack.callback(server.server_close)
        place.stack.callback(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}"
        place.environment |= {"http_proxy": url, "HTTP_PROXY": url}

    return breaks


def body(content: bytes, *, length: int | None = None) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer with this content, perhaps one that promises another length."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    """An answer without an end, as fast as it is taken."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(2**20))


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """A byte a second: each of them in time, and all of them never."""
    handler.send_response(200)
    handler.send_header("Content-Length", "26421880")
    handler.end_headers()
    while True:
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(1)


def silent(_: BaseHTTPRequestHandler) -> None:
    """Nothing at all."""
    time.sleep(300)


def circular(handler: BaseHTTPRequestHandler) -> None:
    """The way back to itself."""
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.end_headers()


def not_unpacked(place: Place, _: Done) -> Iterable[str]:
    """Nothing of an archive that is not the known one may lie beside it."""
    for name in ("cifar-10-batches-py", "link", "tmp"):
        if (place.home / "data" / name).is_symlink() or (place.home / "data" / name).exists():
            yield f"{name} was unpacked"


def small(place: Place, _: Done) -> Iterable[str]:
    """Nothing may fill the disk."""
    if sum(path.stat().st_size for path in (place.home / "data").rglob("*") if path.is_file()) > 2 * 2**30:
        yield "more than 2 GiB on the disk"


def cifar(rule: str, shown: str, breaks: Callable[[Place], None], *says: str) -> Rule:
    """CIFAR-10 from what lies there."""
    return Rule(
        rule=rule,
        input=shown,
        command=(*READ_IMAGES, "--dataset", "cifar10"),
        breaks=breaks,
        says=("cifar10 must be in", "--dataset digits", *says),
        seconds=150,
    )


def fashion(rule: str, shown: str, breaks: Callable[[Place], None], *says: str, seconds: float = 150) -> Rule:
    """Fashion-MNIST from what lies there, or from a server."""
    return Rule(
        rule=rule,
        input=shown,
        command=(*READ_IMAGES, "--dataset", "fashion-mnist"),
        breaks=breaks,
        says=("fashion-mnist must be in", "--dataset digits", *says),
        seconds=seconds,
        mib=2000,
        after=small,
    )


def idx(*, magic: int = 2051, pixels: int = 60000 * 784) -> bytes:
    """Fashion-MNIST's images as a file."""
    return b"".join(number.to_bytes(4, "big") for number in (magic, 60000, 28, 28)) + bytes(pixels)


def bomb(handler: BaseHTTPRequestHandler) -> None:
    """10 GiB of zeros in 10 MiB."""
    body(gzip.compress(bytes(64 * 2**20), 9) * 160)(handler)


RULES = [
    replace(
        cifar("an archive is the known one before it is unpacked", "../, / and a link out of it", placed(CIFAR, EVIL)),
        after=not_unpacked,
    ),
    cifar(
        "an unpacked file is the known one before it is read",
        "a pickle that makes a file",
        lambda place: placed("cifar-10-batches-py/data_batch_1", pickle.dumps(runs_when_read(place.home / "evil")))(
            place
        ),
    ),
    cifar(
        "no member of an archive lies above it",
        "../../outside/evil",
        trusted(archive(member("../../outside/evil"))),
        "outside",
    ),
    cifar(
        "no member of an archive has an absolute path",
        "/…/outside/evil",
        lambda place: trusted(archive(member(str(place.outside / "evil"))))(place),
    ),
    cifar(
        "no link in an archive leads out of it",
        "a link to ../../outside, and a file through it",
        trusted(archive(member("link", type=tarfile.SYMTYPE, linkname="../../outside"), member("link/evil"))),
        "outside",
    ),
    cifar(
        "no hard link in an archive leads out of it",
        "a hard link to outside/secret.txt, overwritten",
        trusted(archive(member("hard", type=tarfile.LNKTYPE, linkname="../../outside/secret.txt"), member("hard"))),
        "outside",
    ),
    cifar(
        "no member of an archive is a device",
        "/dev/sda by its numbers",
        trusted(archive(member("device", type=tarfile.BLKTYPE, devmajor=8))),
    ),
    cifar(
        "no member of an archive is a pipe",
        "a FIFO called data_batch_1",
        trusted(archive(member("cifar-10-batches-py/data_batch_1", type=tarfile.FIFOTYPE))),
    ),
    cifar("an archive is whole", "its first half", trusted(EVIL[: len(EVIL) // 2])),
    cifar("an archive is a compressed tar file", "text", trusted(b"not found\n")),
    cifar("an archive holds the dataset", "another file", trusted(archive(member("readme.txt")))),
    fashion("a download has the known checksum", "other bytes", served(body(gzip.compress(b"evil"))), "checksum"),
    fashion("a download is whole", "half of what was promised", served(body(b"x" * 1000, length=26421880)), "checksum"),
    fashion("a download has an end", "bytes without end", served(endless), seconds=200),
    fashion("a download gets on", "a byte a second", served(dripping), seconds=200),
    fashion("a server answers", "silence", served(silent), "timed out", seconds=200),
    fashion("a server leads somewhere", "a redirection to itself", served(circular), "redirect"),
    fashion("a server has the file", "404", served(lambda handler: handler.send_error(404)), "404"),
    fashion("a download is the known one before it is unpacked", "10 GiB in 10 MiB", served(bomb), "checksum"),
    fashion(
        "a file that was unpacked elsewhere is not trusted",
        "other images without their archive",
        placed(f"{FASHION}/{IMAGES}", b"other images"),
    ),
    fashion(
        "an older form of a dataset is not trusted",
        "processed/training.pt, a pickle that makes a file",
        lambda place: [
            placed(f"FashionMNIST/processed/{name}.pt", pickle.dumps(runs_when_read(place.home / "evil")))(place)
            for name in ("training", "test")
        ],
    ),
    fashion("a dataset's header is the known one", "magic number 7", trusted_fashion(magic=7)),
    fashion("a dataset has the pixels that its header says", "100 fewer", trusted_fashion(pixels=60000 * 784 - 100)),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="archives") for rule in RULES]
