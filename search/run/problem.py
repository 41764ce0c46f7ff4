"""A problem: these images, this space, this request. Drawing, checking and costing are asked of it and done once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from architectures.cost import Cost
from architectures.errors import HpsearchError
from architectures.families import FAMILIES, network_cost
from architectures.layers import SizeError
from architectures.pretrained import check_weights
from search.forecast.forecast import MOST_DRAWS, Plan
from search.history.store import Request, Search
from search.samplers.make import make_sampler
from search.samplers.sampler import Draw, Sampler
from search.spaces import Space
from trainables.config import Config
from trainables.data.find import Survey
from trainables.data.formats.format import Columns, Part
from trainables.data.images import DatasetError, Images, fingerprint
from trainables.data.known import DATASETS
from trainables.data.load import load
from trainables.data.split import split, subset
from trainables.data.suspect import warnings_of
from trainables.fits import check_training


class RequestError(HpsearchError):
    """A wrong request: one line with the rule, the value and what would be right."""


@dataclass(frozen=True)
class Problem:
    """What a search has to solve; everything that it computes, it computes once."""

    request: Request
    """What was asked."""
    space: Space
    """What may be drawn."""
    images: Images
    """Every image that may be trained on, and validated on too where the dataset has no validation part."""
    given: Images | None = None
    """The images of the dataset's own validation part, if it has one."""
    survey: Survey | None = None
    """What a folder of images was taken for; None for a known dataset, and for a search that goes on."""
    _costs: dict[str, Cost] = field(default_factory=dict)

    @cached_property
    def _split(self) -> tuple[np.ndarray, np.ndarray]:
        return split(self.images.labels, self.request.validation, self.request.seed)

    @cached_property
    def train(self) -> Images:
        """The images to train on."""
        if self.given is not None:
            return self.images
        return self.images.take(self._split[0])

    @cached_property
    def validation(self) -> Images:
        """The images that trials are compared on."""
        return self.images.take(self._split[1]) if self.given is None else self.given

    @property
    def num_train(self) -> int:
        """How many images there are to train on."""
        return len(self._split[0]) if self.given is None else len(self.images)

    @property
    def num_validation(self) -> int:
        """How many images trials are compared on."""
        return len(self._split[1]) if self.given is None else len(self.given)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What looks wrong with a user's own images; nothing of a known dataset, and of a search that goes on."""
        return warnings_of(self.images) if self.survey else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a launch says of a user's own images, in lines."""
        if self.survey is None:
            return ()
        return (self.survey.line(self.request.validation), *(f"warning: {line}" for line in self.warnings))

    @property
    def samples(self) -> int:
        """How many trials there are at most: the request's, or the length of a list."""
        return self.at_most(self.request.samples)

    def at_most(self, samples: int) -> int:
        """`samples`, or the length of a list if that is smaller."""
        return min(samples, len(self.space.configs)) if self.space.configs else samples

    def cost(self, config: Config) -> Cost:
        """What a configuration costs; raises SizeError when its network cannot take such images, else RequestError."""
        key = json.dumps(config.to_json()["network"], sort_keys=True)
        if key not in self._costs:
            self._costs[key] = cost_of(config, self.images)
        return self._costs[key]

    def check(self, config: Config) -> None:
        """Raise SizeError or RequestError for a configuration that these images cannot be trained with."""
        self.cost(config)
        check_training(config, self.images.shape, len(self.images.classes))

    def check_list(self) -> None:
        """Raise RequestError for a line of a list that these images cannot be trained with."""
        for number, config in zip(self.space.lines, self.space.configs, strict=True):
            try:
                self.check(config)
            except ValueError as error:
                raise RequestError(
                    f"{self.space.name}, line {number} is impossible for these images: {error}"
                ) from error

    def complete(self, config: Config) -> Config:
        """A drawn configuration with the request's epochs and augmentation where it has none of its own."""
        return config.with_defaults(epochs=self.request.epochs, augment=self.request.augment)

    def sampler(self) -> Sampler:
        """Who draws; impossible networks are drawn again."""
        return make_sampler(self.space, self.request.sampler, self.request.seed, self.check)

    def order(self, samples: int) -> Sequence[int]:
        """Trial numbers as they begin: the longest first where all is known, a list of which nothing is stopped.

        Then no long trial is left alone with one slot at the end (Graham 1969). Otherwise in the order of drawing.
        """
        if not self.space.configs or self.request.scheduler != "none":
            return range(samples)

        def work(trial: int) -> int:
            config = self.complete(self.space.configs[trial])
            return self.cost(config).flops * (config.training.epochs or 0)

        return sorted(range(samples), key=work, reverse=True)

    def plan(self) -> Plan:
        """The search's first draws and what they cost. TPE, which has no history yet, draws as it begins."""
        sampler = self.sampler()
        drawn = (sampler.draw(trial) for trial in range(min(self.request.samples, MOST_DRAWS)))
        draws: list[Draw] = [each for each in drawn if each is not None]
        configs = [self.complete(each.config) for each in draws]
        return Plan(
            draws=draws,
            configs=configs,
            costs=[self.cost(config) for config in configs],
            order=self.order(self.samples),
            num_train=self.num_train,
            num_validation=self.num_validation,
            sampler=self.request.sampler,
            scheduler=self.request.scheduler,
            max_t=self.request.epochs,
        )


def cost_of(config: Config, images: Images) -> Cost:
    """What a configuration costs; raises SizeError when it cannot be trained with such images, else RequestError.

    Weights that its network begins with are downloaded now.
    """
    network = config.network
    try:
        cost = network_cost(network.name, network.hyperparameters, images.shape, len(images.classes))
        if network.name in FAMILIES:
            check_weights(FAMILIES[network.name](**network.hyperparameters))
    except SizeError as error:
        raise SizeError(f"network '{network.name}': {error}") from error
    except ValueError as error:
        raise RequestError(f"network '{network.name}': {error}") from error
    return cost


def part_images(request: Request, part: Part) -> Images:
    """All images of a part of the dataset, in its order."""
    return load(
        request.dataset,
        part,
        data_dir=Path(request.data_dir),
        image_size=request.image_size,
        columns=columns_of(request),
    )


def columns_of(request: Request) -> Columns:
    """The columns that a request names."""
    return Columns(request.label, request.image)


def training_images(request: Request) -> Images:
    """Every image the search may train on, in the dataset's order; the test set is not read."""
    images = part_images(request, "train")
    if request.limit_train is not None:
        images = images.take(subset(images.labels, request.limit_train, request.seed))
    return images


def unchanged_images(search: Search) -> Images:
    """The images that the search trains on; raises DatasetError when they are gone or not those it began with."""
    place = search.request.dataset
    if place not in DATASETS and not Path(place).is_dir():
        raise DatasetError(
            f"the images of {search.name} were in {place}, which is not here: say with --dataset where they are now"
        )
    return _unchanged(search, training_images(search.request), search.facts["data"]["fingerprint"])


def unchanged_validation(search: Search) -> Images | None:
    """The images of the dataset's own validation part, None for a search that began without one.

    Raises DatasetError when they are not those it began with.
    """
    expected = search.facts["data"].get("validation_fingerprint")
    return None if expected is None else _unchanged(search, part_images(search.request, "validation"), expected)


def _unchanged(search: Search, images: Images, expected: str) -> Images:
    if fingerprint(images) != expected:
        raise DatasetError(
            f"the dataset {search.request.dataset} has changed since {search.name} began, or is another one (its "
            "fingerprint differs); restore it, say with --dataset where it is, or launch a new search"
        )
    return images
