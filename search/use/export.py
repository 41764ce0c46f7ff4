"""Winners for other programs: ONNX and torch.export's pt2."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim

from architectures.errors import one_line
from search.history.load import Loaded
from search.history.record import Run
from search.run.images import part_images
from search.use.winners import UseError, load
from trainables.augment import normalise
from trainables.data.images import DatasetError
from trainables.saved_network import Network

#: How far a probability may be from torch's own.
TOLERANCE = 1e-4
#: Images on which that is checked.
EXAMPLES = 64
INPUT = "images: uint8 (N, C, H, W), 0 to 255, any N; normalisation and softmax are inside"


def export(found: Loaded, run: Run, form: str, *, own_code: bool) -> tuple[bytes, str]:
    """A winner as a file of one of `FORMATS`, and the result of its comparison with torch in words.

    Raises UseError for a winner that cannot be exported or whose export differs from torch.
    """
    network = load(found, run, own_code=own_code)
    images, what = _examples(found, network)
    about = {
        "classes": json.dumps(list(network.classes)),
        "input": INPUT,
        "input_shape": json.dumps(list(network.shape)),
        "source": f"hpsearch {found.search.name} {run.key[0]}-{run.key[1]}",
    }
    try:
        exported = FORMATS[form](network, about)
    except UseError:
        raise
    except Exception as error:  # a user's own network may do what the exporter does not support
        raise UseError(f"{run.network} cannot be exported to {form}: {one_line(error, named=True)}") from error
    worst = difference(exported, network, images)
    told = "not compared with torch, as onnxruntime is not installed" if worst is None else ""
    return exported.data, told or f"within {worst:.1g} of torch's probabilities on {len(images)} {what}"


def _examples(found: Loaded, network: Network) -> tuple[Tensor, str]:
    """Images (N, C, H, W) to compare on, and what they are: training images, or noise if those cannot be used."""
    why = "the dataset here has another shape"
    try:
        images = part_images(found.search.request, "train", download=False)
        if images.shape == network.shape:
            return torch.from_numpy(np.array(images.pixels[:EXAMPLES])), "training images"
    except (DatasetError, OSError):
        why = "the dataset is not here"
    pixels = np.random.default_rng(0).integers(0, 256, (EXAMPLES, *network.shape), dtype=np.uint8)
    return torch.from_numpy(pixels), f"images of noise, as {why}"


class Classifier(nn.Module):
    """A network with what comes before and after it: uint8 images (N, C, H, W) to probabilities (N, classes)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Normalise, and turn logits into probabilities."""
        return self.network(normalise(images)).softmax(1)


@dataclass(frozen=True)
class Exported:
    """A network in another format."""

    data: bytes
    """The file."""
    run: Callable[[Tensor], Tensor] | None
    """The exported network, called as its users call it; None if its runtime is not installed."""


def as_pt2(network: Network, about: dict[str, str]) -> Exported:
    """As a program of torch.export, with `about` as its extra files."""
    classifier, example, shapes = _classifier(network)
    program = torch.export.export(classifier, example, dynamic_shapes=shapes)
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files=about)
    loaded = torch.export.load(io.BytesIO(buffer.getvalue())).module()
    return Exported(buffer.getvalue(), loaded)


def as_onnx(network: Network, about: dict[str, str]) -> Exported:
    """As an ONNX model, with `about` as its metadata; raises UseError if onnx is not installed."""
    if missing := [name for name in ("onnx", "onnxscript") if find_spec(name) is None]:
        raise UseError(
            f"ONNX needs packages that are not installed ({', '.join(missing)}): pip install 'hpsearch[onnx]'"
        )
    classifier, example, shapes = _classifier(network)
    program = torch.onnx.export(
        classifier,
        example,
        input_names=["images"],
        output_names=["probabilities"],
        dynamic_shapes=shapes,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    for key, value in about.items():
        model.metadata_props.add(key=key, value=value)
    data = model.SerializeToString()
    return Exported(data, _onnx_runner(data))


def _onnx_runner(data: bytes) -> Callable[[Tensor], Tensor] | None:
    if find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


#: The formats, each with the function that makes its file.
FORMATS: dict[str, Callable[[Network, dict[str, str]], Exported]] = {"onnx": as_onnx, "pt2": as_pt2}


def _classifier(network: Network) -> tuple[nn.Module, tuple[Tensor], Any]:
    """What is exported, an example of its input, and which of its sizes are free."""
    example = torch.zeros(2, *network.shape, dtype=torch.uint8)
    # The usual memory layout of weights: torch.export warns about channels-last ones.
    network.model.to(memory_format=torch.contiguous_format)
    return Classifier(network.model).eval(), (example,), ({0: Dim("batch")},)


def difference(exported: Exported, network: Network, images: Tensor) -> float | None:
    """The largest difference of a probability to torch's for uint8 images (N, C, H, W); None without its runtime.

    It is run on all images at once and on the first alone. Raises UseError for a difference above `TOLERANCE`.
    """
    if exported.run is None:
        return None
    with torch.inference_mode():
        expected = Classifier(network.model).eval()(images)
        found = torch.cat([exported.run(images), exported.run(images[:1])])
    worst = float((found - torch.cat([expected, expected[:1]])).abs().max())
    if not worst <= TOLERANCE:
        raise UseError(f"the exported network differs from torch's by {worst:.2g} in a probability; nothing is written")
    return worst
