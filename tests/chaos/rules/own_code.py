"""A user's own spaces and networks that fail."""

from dataclasses import replace

from rules.rule import LAUNCH, Rule, write

MODULE = """
import torch
from torch import nn
from search.spaces import config_of
from trainables.config import Config, NetworkConfig, OptimizerConfig

NUMBER = 3

def raises(*_, **__):
    raise RuntimeError("first line\\nsecond line")

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

unknown_name = space_of("cnn5", momentum=0.9)
raising_network = space_of("own:raises")
no_network = space_of("own:a_dict")
hungry_network = space_of("own:hungry")
misfit_network = space_of("own:misfit")
short_network = space_of("own:short")
no_rate = lambda trial: config_of({"network": "cnn5", "optimizer": "sgd"})
no_draw = lambda trial: trial.suggest_categorical("network", ())
no_range = lambda trial: trial.suggest_float("sgd/lr", 1.0, 0.1)
no_json = lambda trial: Config(NetworkConfig("cnn5", {"width": {1}}), OptimizerConfig("sgd", 0.1))
named = lambda trial: Config(NetworkConfig("cnn5", {"name": "cnn6"}), OptimizerConfig("sgd", 0.1))

def two_of_one_name(trial):
    trial.suggest_float("sgd/lr", 0.1, 0.2)
    trial.suggest_categorical("sgd/lr", (0.1,))

def hungry(depth):
    return nn.Identity()

def misfit(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(7, num_classes))

def short():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
"""


def own(rule: str, name: str, *says: str, input: str | None = None, module: str | None = None) -> Rule:
    """A space of this name, perhaps from a module of its own."""
    prepared = {"breaks": write(f"{name.partition(':')[0]}.py", module)} if module is not None else {}
    return Rule(rule=rule, input=input or name, command=(*LAUNCH, "--space", name), says=says, **prepared)


RULES = [
    own("a module exists", "missing:space", "No module named"),
    own("a module's name is no path", "../own:unknown_name", "package.module:function"),
    own("a module is Python", "syntax:space", "SyntaxError", module="def space(\n"),
    own("a module can be imported", "broken:space", "division by zero", module="1 / 0\n"),
    own("a module does not end the command", "exits:space", "SystemExit", module="raise SystemExit(0)\n"),
    own("a module has the function", "own:gone", "package.module:function"),
    own("a space is a function", "own:NUMBER", "int"),
    own("a space does not raise", "own:raises", "RuntimeError", "first line second line"),
    own("a space returns a configuration", "own:a_dict", "got dict"),
    own("a space draws the learning rate", "own:no_rate", "sgd/lr"),
    own("a space draws known names", "own:unknown_name", "momentum"),
    own("a space has choices", "own:no_draw", "ValueError"),
    own("a range has its low end first", "own:no_range", "ValueError"),
    own("a name is drawn in one way", "own:two_of_one_name", "ValueError"),
    own("a hyperparameter is plain JSON", "own:no_json", "JSON"),
    own("a hyperparameter is not called name", "own:named", "name"),
    own("a network does not raise", "own:raising_network", "own:raises", "first line second line"),
    own("a network is a module", "own:no_network", "own:a_dict", "torch.nn.Module"),
    own("a network gets all its arguments", "own:hungry_network", "depth"),
    own("an own network fits the images", "own:misfit_network", "own:misfit"),
    own("a network has an output a class", "own:short_network", "own:short"),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="own spaces and networks") for rule in RULES]
