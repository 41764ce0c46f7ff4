"""Which retrained networks are a search's winners, and how they are loaded."""

from collections.abc import Sequence
from dataclasses import dataclass

from architectures.errors import HpsearchError
from search.history import card, scores
from search.history.load import Loaded
from search.history.record import Run, is_family
from search.history.store import retrain_folder
from search.history.winners import last_retrain, newest
from search.readable import command_line, count
from trainables.data.decode import Look
from trainables.saved_network import Network, load_network


class UseError(HpsearchError):
    """A winner that cannot be used as asked: one line."""


@dataclass(frozen=True)
class Member:
    """A winner on its own, or one of an ensemble."""

    run: Run
    """The retrain."""
    weight: float
    """Its share of the prediction."""

    @property
    def name(self) -> str:
        """Trial and repeat, as its folder is called."""
        return f"{self.run.key[0]}-{self.run.key[1]}"


def pick(found: Loaded, place: int, *, student: bool = False, retrain: str | None = None) -> Run:
    """The winner of a rank, from 1, or its student; raises UseError if there is none.

    retrain: the command that would train it, if that is not on the search's own folder.
    """
    known, retrain = newest(found.record), retrain or _retrain(found)
    if not known:
        raise UseError(f"{found.search.name} has no retrained winner yet: train one with {retrain}")
    if place > len(known):
        raise UseError(f"--rank is 1 to {len(known)}, the retrained winners of {found.search.name}; got {place}")
    winner = known[place - 1]
    if not student:
        return winner
    taught = {run.key[0]: run for run in newest(found.record, students=True)}
    if winner.key[0] not in taught:
        raise UseError(
            f"{found.search.name} has no student of trial {winner.key[0]} yet: "
            f"{retrain} --students {place}, with the options of the last retrain"
        )
    return taught[winner.key[0]]


def ensemble(found: Loaded, *, retrain: str | None = None) -> tuple[Member, ...]:
    """The winners of the last retrain with their recorded weights; raises UseError for fewer than two.

    retrain: as in `pick`.
    """
    runs, chosen = last_retrain(found.record)
    members = scores.members(runs, chosen)
    if not members:
        raise UseError(
            f"an ensemble has two winners or more, and the last retrain of {found.search.name} has "
            f"{sum(not run.teachers for run in runs)}: {retrain or _retrain(found)} --top 3"
        )
    return tuple(Member(run, weight) for run, weight in members)


def _retrain(found: Loaded) -> str:
    return command_line("retrain", found.search.name, found.search.folder.parent)


def in_words(found: Loaded, members: Sequence[Member]) -> str:
    """The networks that predict, in words."""
    name = found.search.name
    if len(members) == 1:
        (member,) = members
        test = member.run.test
        assert test is not None
        return (
            f"{name} {member.name}, a {member.run.network} that classified {test.correct / test.images:.1%} of "
            f"{count(test.images, 'test image')} correctly"
        )
    return f"{name}, ensemble of {', '.join(f'{each.name} × {each.weight:.2f}' for each in members)}"


def load(found: Loaded, run: Run, device: str = "cpu", *, own_code: bool = False) -> Network:
    """A winner's network; nothing is unpickled.

    own_code: allow a network of the user's own, which is rebuilt by calling its function. Raises UseError if that is
    needed and not allowed, and if files are missing; NetworkError for damaged ones.
    """
    folder, name = retrain_folder(found.search.folder, run), run.config["network"]["name"]
    if not is_family(name) and not own_code:
        raise UseError(f"{folder.name} is rebuilt by calling {name}: allow that with --own-code, if you trust it")
    try:
        return load_network(folder, device, run_own_code=own_code)
    except FileNotFoundError as error:
        raise _gone(error) from error


def contents(found: Loaded, run: Run) -> dict[str, bytes]:
    """A winner's weights, configuration and card, by the names of their files; raises UseError if files are missing."""
    try:
        return card.contents(found, run)
    except FileNotFoundError as error:
        raise _gone(error) from error


def _gone(error: FileNotFoundError) -> UseError:
    return UseError(f"{error.filename} is gone; restore it, or retrain the winner with one more of --repeats")


def look_of(found: Loaded, network: Network) -> Look:
    """The format to which images are converted for a network of this search."""
    channels, height, width = network.shape
    taken = found.search.facts["data"].get("taken") or {}
    return Look("L" if channels == 1 else "RGB", (width, height), taken.get("bits"))
