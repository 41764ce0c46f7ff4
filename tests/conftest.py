"""What several tests share: one thread, a few hundred real images, and an object store."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pyarrow import fs

# Threads that wait do so asleep, here and in every process that is started from here: awake, they would take the time
# of whatever else computes. Read when torch is imported.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

import torch

from trainables.data.images import Images
from trainables.data.load import load
from trainables.data.split import subset

# Below nohup, or started in the background by a shell, this process and all that it starts would ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_proxy_is_kept() -> Iterator[None]:
    """Python's `urlopen` keeps the proxies that it found when it was called first, in this process, for ever."""
    yield
    urllib.request.install_opener(None)  # type: ignore[arg-type]  # so that the next call looks again


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """A training set of 320 handwritten digits, 16×16 and grey, every class in its share."""
    images = load("digits", "train", data_dir=tmp_path_factory.mktemp("digits"))
    return images.take(subset(images.labels, 320, seed=0))


class ObjectStore:
    """A real S3-compatible server (SeaweedFS) on loopback with one bucket; it can be killed and started again.

    Two keys: "writer" may do everything, "reader" may only list and read; the secret of each is its name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(10)]
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            self._ports = [each.getsockname()[1] for each in sockets]
        rights = {"writer": ["Admin", "Read", "List", "Write"], "reader": ["Read", "List"]}
        identities = [
            {"name": name, "credentials": [{"accessKey": name, "secretKey": name}], "actions": actions}
            for name, actions in rights.items()
        ]
        (folder / "s3.json").write_text(json.dumps({"identities": identities}))
        self.start()

    def start(self) -> None:
        """Start, or start again with what was stored before; returns when it answers."""
        names = ("master", "volume", "filer", "s3", "admin")
        ports = [f"-{name}.port{kind}" for name in names for kind in ("", ".grpc")]
        options = [f"{option}={port}" for option, port in zip(ports, self._ports, strict=True)]
        options += [f"-dir={self._folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.config={self._folder}/s3.json"]
        options += [f"-{name}.localSocket={self._folder}/{name}.socket" for name in ("filer", "s3")]
        options += ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        options += ["-s3.autoCreateBucket=false", "-master.telemetry=false"]
        weed = Path(sys.executable).with_name("weed")
        with (self._folder / "log").open("a") as log:
            self.process = subprocess.Popen([weed, f"-logdir={self._folder}", "mini", *options], stdout=log, stderr=log)
        admin = fs.S3FileSystem(
            access_key="writer",
            secret_key="writer",
            endpoint_override=self.endpoint,
            scheme="http",
            region="us-east-1",
            allow_bucket_creation=True,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
        )
        for left in reversed(range(300)):
            try:
                admin.create_dir("bucket")
                with admin.open_output_stream("bucket/ready") as stream:
                    stream.write(b"ready")
                return
            except OSError:
                assert left and self.process.poll() is None, (self._folder / "log").read_text()[-2000:]
                time.sleep(0.1)

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self._ports[6]}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def location(self, path: str, bucket: str = "bucket") -> str:
        return f"s3://{bucket}/{path}?endpoint_override={self.endpoint}&scheme=http"


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """An object store, and the keys of its writer in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "writer")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "writer")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        store = ObjectStore(tmp_path_factory.mktemp("s3"))
        yield store
        store.kill()
