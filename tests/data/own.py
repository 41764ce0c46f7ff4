"""A user's own spaces and networks, each wrong in its own way; tests put this file beside the command as `own.py`."""

from math import prod

from torch import nn

from architectures.blocks import Network
from architectures.families import FAMILIES
from search.spaces import config_of
from trainables.config import Config, NetworkConfig, OptimizerConfig

NUMBER = 3


def raises(*_, **__):
    raise RuntimeError("first line\nsecond line")


def nothing(*_):
    return None


def a_dict(*_):
    return {"network": "cnn6"}


def space_of(network, optimizer="sgd", lr=0.1, **more):
    def function(trial):
        trial.suggest_categorical("network", (network,))
        trial.suggest_categorical("optimizer", (optimizer,))
        trial.suggest_categorical(f"{optimizer}/lr", (lr,))
        for key, value in more.items():
            trial.suggest_categorical(key, (value,))
        return config_of(trial.params)

    return function


nameless = space_of(None)
unknown_network = space_of("cnn9")
unknown_optimizer = space_of("cnn5", "nosuch")
unknown_name = space_of("cnn5", momentum=0.9)
unknown_hyperparameter = space_of("cnn5", **{"cnn5/depth": 3})
raising_network = space_of("own:raises")
no_network = space_of("own:a_dict")
hungry_network = space_of("own:hungry")
misfit_network = space_of("own:misfit")
short_network = space_of("own:short")


def no_rate(_):
    return config_of({"network": "cnn5", "optimizer": "sgd"})


def no_draw(trial):
    return trial.suggest_categorical("network", ())


def no_range(trial):
    return trial.suggest_float("sgd/lr", 1.0, 0.1)


def two_of_one_name(trial):
    trial.suggest_float("sgd/lr", 0.1, 0.2)
    trial.suggest_categorical("sgd/lr", (0.1,))


def no_json(_):
    return Config(NetworkConfig("cnn5", {"width": {1}}), OptimizerConfig("sgd", 0.1))


def named(_):
    return Config(NetworkConfig("cnn5", {"name": "cnn6"}), OptimizerConfig("sgd", 0.1))


def hungry(depth):
    return nn.Identity()


def misfit(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(7, num_classes))


def short(input_shape):
    return nn.Sequential(nn.Flatten(), nn.Linear(prod(input_shape), 3))


def lazy(num_classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes))


def leaving(*_, **__):
    raise SystemExit("bye")


class _Leaving(nn.Module):
    def forward(self, images):
        raise SystemExit("bye")


def leaving_when_called():
    return _Leaving()


def pretrained():
    return FAMILIES["vgg16"](weights="/no/such/file.pth", size=32)


def no_block():
    return Network(blocks=("conv",))


def flat(input_shape, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[1] * input_shape[2], num_classes))
