"""A user's own spaces and networks that fail."""

from dataclasses import replace
from pathlib import Path

from rules.rule import LAUNCH, Rule, write

#: Spaces and networks that a user has in `own.py`, each wrong in its own way.
MODULE = Path(__file__).parents[2] / "data" / "own.py"


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
