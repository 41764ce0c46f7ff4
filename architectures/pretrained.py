"""Pretrained weights, from torchvision or from a file, for the first layers of a network."""

import pickle
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from architectures.blocks import Network, Weights
from architectures.errors import HpsearchError, one_line

_HEADS = ("classifier.", "fc.")  # torchvision's names of the layers that a network for other classes replaces
_COUNTER = "num_batches_tracked"  # not needed, and absent from older files
_OWN = ("weight", "bias", "running_mean", "running_var")  # of a layer, in torch's order
_SECONDS = 20.0  # for a server to answer


class WeightsError(HpsearchError):
    """Weights that are not available or do not fit: one line with what would be right."""


def check_weights(network: Network | nn.Module) -> None:
    """Raise WeightsError unless a network's pretrained weights are here and fit; downloads them if necessary."""
    if isinstance(network, Network) and network.weights is not None:
        _read(network.weights)


def load_weights(network: Network | nn.Module, module: nn.Module) -> None:
    """Copy a network's pretrained weights, if it names any, into the module that was built from it.

    Raises WeightsError as `check_weights` does.
    """
    if not isinstance(network, Network) or network.weights is None:
        return
    given = _read(network.weights)
    own = {name: value for name, value in module.state_dict().items() if not name.endswith(_COUNTER)}
    with torch.no_grad():
        for mine, theirs in zip(list(own.values())[: len(given)], given, strict=True):
            mine.copy_(theirs)


@lru_cache(maxsize=2)
def _read(weights: Weights) -> tuple[Tensor, ...]:
    """The tensors of all layers but torchvision's head, in torchvision's order, which is also ours."""
    import torchvision.models  # imported late: it takes a second, and only these networks need it

    with torch.device("meta"):
        known = torchvision.models.get_model(weights.model).state_dict()
    known = {
        name: value for name, value in known.items() if not name.startswith(_HEADS) and not name.endswith(_COUNTER)
    }
    place = _of_torchvision(weights.model) if weights.source == "imagenet" else Path(weights.source)
    state = _from_file(place)
    if all(isinstance(name, str) and name.partition(".")[0].isdigit() for name in state):
        state = dict(zip(known, _in_order(state), strict=False))  # the file of a retrained network
    for name, value in known.items():
        found = state.get(name)
        if not isinstance(found, Tensor) or found.shape != value.shape:
            held = "×".join(map(str, found.shape)) if isinstance(found, Tensor) else "nothing of that name"
            raise WeightsError(
                f"the weights {place} do not fit {weights.model}: '{name}' must be "
                f"{'×'.join(map(str, value.shape))}, and the file has {held}; give torchvision's own file, or the "
                f"model.safetensors of a {weights.model} that a retrain kept"
            )
    return tuple(state[name].float().clone() for name in known)


def _in_order(state: Mapping[str, Any]) -> Iterator[Any]:
    """The tensors of one of our networks in the order of its layers, which a file does not keep."""

    def place(name: str) -> tuple[tuple[bool, int, str], ...]:
        *path, own = name.split(".")
        parts = [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in path]
        return (*parts, (True, _OWN.index(own) if own in _OWN else len(_OWN), own))

    return (state[name] for name in sorted(state, key=place) if not name.endswith(_COUNTER))


def _of_torchvision(model: str) -> Path:
    """The path of torchvision's file of a network, which is downloaded if it is absent, with a check of its hash."""
    import torchvision.models

    url = torchvision.models.get_model_weights(model)["IMAGENET1K_V1"].url
    place = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    if place.exists():
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _timeout():
            begin_of_hash = place.stem.rpartition("-")[2]
            torch.hub.download_url_to_file(url, str(place), begin_of_hash, progress=sys.stderr.isatty())
    except Exception as error:  # the network, the disk and the file each fail in their own ways
        raise WeightsError(
            f"the ImageNet weights of {model} are not in {place} and cannot be downloaded ({one_line(error)}); put "
            f"{url} there, or set the network's hyperparameter weights to the path of that file or to random"
        ) from error
    return place


def _from_file(path: Path) -> Mapping[str, Any]:
    """The tensors by name in a file of torch or safetensors; none of its code is run."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"cannot read the weights {path}: {error.strerror or one_line(error)}") from error
    except pickle.UnpicklingError as error:
        raise WeightsError(f"the file {path} holds more than weights, or something else, and is not read") from error
    except Exception as error:  # a damaged file raises anything
        raise WeightsError(f"the file {path} holds no weights ({one_line(error, named=True)})") from error
    if not isinstance(state, Mapping):
        raise WeightsError(f"the file {path} holds a {type(state).__name__}; it must hold tensors by name")
    return state


@contextmanager
def _timeout() -> Iterator[None]:
    """Limit the wait for a server; torch's download has no limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
