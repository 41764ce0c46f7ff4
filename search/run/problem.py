"""A problem: images, space and request of a search. It draws, checks and costs configurations."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from architectures.blocks import Network
from architectures.cost import Cost
from architectures.errors import HpsearchError
from architectures.families import make_without_weights, network_cost
from architectures.layers import SizeError
from search.experience.recordings import Experience, Recording, side
from search.forecast.calibration import Speeds
from search.forecast.forecast import MOST_DRAWS, Plan
from search.forecast.seconds import times
from search.history.metric import Guess, guess, shown
from search.history.record import Run
from search.history.store import Request
from search.readable import count
from search.run.defaults import checked
from search.run.experience import lines_of, recordings_for, with_experience
from search.run.images import own_dataset, part_images, training_images
from search.run.prior import NO_PRIOR, Prior, prior_of
from search.samplers import LEARNING
from search.samplers.first import draw_of
from search.samplers.make import history_of, make_sampler
from search.samplers.optuna_sampler import key_of
from search.samplers.sampler import Draw, Sampler, derive_seed
from search.schedulers.scheduler import scheduler_of
from search.spaces import Space, find_space
from search.spaces.drawing import everything
from search.spaces.lists import read_list
from trainables.config import Config
from trainables.data.duplicates import digests
from trainables.data.find import Survey, survey_of
from trainables.data.images import Images
from trainables.data.load import check_test
from trainables.data.own import Own
from trainables.data.split import split
from trainables.data.suspect import warnings_of
from trainables.fits import check_training


class RequestError(HpsearchError):
    """A wrong request: one line with the rule, the value and what would be right."""


@dataclass(frozen=True)
class Problem:
    """What a search has to solve; each result is computed once and kept."""

    request: Request
    """The request."""
    space: Space
    """What may be drawn."""
    images: Images
    """All images for training, and for validation too if the dataset has no validation part."""
    given: Images | None = None
    """The images of the dataset's own validation part, if it has one."""
    survey: Survey | None = None
    """How a folder of images was understood; None for a known dataset, and for a search that continues."""
    own: Own | None = None
    """The user's own dataset; None for a known one, and for a search that continues."""
    first: Space | None = None
    """A list of configurations to try before anything is drawn, if there is one."""
    prior: Prior = NO_PRIOR
    """The trials of an earlier search that the sampler starts from."""
    recordings: tuple[Recording, ...] = ()
    """Trainings on other images that the sampler begins with."""
    kept: bool = False
    """Whether the network of each trial is kept and tested, as a study's are."""
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
        """The number of images to train on."""
        return len(self._split[0]) if self.given is None else len(self.images)

    @property
    def num_validation(self) -> int:
        """The number of images that trials are compared on."""
        return len(self._split[1]) if self.given is None else len(self.given)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What looks wrong with a user's own images; empty for a known dataset, and for a search that continues."""
        return warnings_of(self.images, self.digests) if self.survey else ()

    @cached_property
    def digests(self) -> list[bytes]:
        """A digest of each image's pixels."""
        return digests(self.images.pixels)

    @cached_property
    def guess(self) -> Guess:
        """The scores of guessing on the images that trials are compared on."""
        labels = self.images.labels[self._split[1]] if self.given is None else self.given.labels
        return guess(labels.tolist())

    @property
    def notes(self) -> tuple[str, ...]:
        """What a launch says about the images, and about what the sampler begins with, in lines."""
        guessing = self.guess.line(shown(self.request.metric, self.guess))
        begins_with = (*self.prior.lines, *self._first_line, *lines_of(self.recordings), *self._augment_line)
        if self.survey is None:
            return (guessing, *begins_with)
        own = self.survey.line(self.request.validation)
        return (own, guessing, *begins_with, *(f"warning: {line}" for line in self.warnings))

    @property
    def _augment_line(self) -> tuple[str, ...]:
        """A note if the augmentation that was asked for is that of no configuration in a list."""
        own = [config.training.augment for config in self.space.configs]
        if not self.request.augment_all or not own or None in own:
            return ()
        given = f"--augment {self.request.augment}"
        return (f"note: {given} has no effect: each configuration of {self.space.name} sets its own",)

    @property
    def _first_line(self) -> tuple[str, ...]:
        """What a launch says about the configurations to try first, if its sampler learns."""
        if self.first is None or self.space.function is None or self.request.sampler not in LEARNING:
            return ()
        configs = self.first.configs
        known = sum(bool(draw_of(self.space.function, config).params) for config in configs)
        rest = f"; it cannot tell how {self.space.name} would draw {'the others' if known else 'them'}"
        line = f"first: the sampler can learn from {known or 'none'} of {count(len(configs), 'configuration')}"
        return (line if known == len(configs) else line + rest,)

    @cached_property
    def samples(self) -> int:
        """The most trials there can be: the request's, or fewer if the space has fewer configurations."""
        return self.at_most(self.request.samples)

    def at_most(self, samples: int, asked: Sequence[Run] = ()) -> int:
        """`samples`, or fewer if the space has fewer configurations. asked: the existing trials."""
        if self.space.function is None:
            return min(samples, len(self.space.configs))
        if (choices := everything(self.space.function)) is None:
            return samples
        configs = self.first.configs[len(asked) :] if self.first else ()
        to_come = [draw_of(self.space.function, config) for config in configs]
        drawn = {key_of(params) for params in (*(run.asked.params for run in asked), *(d.params for d in to_come))}
        left = (choice for choice in choices if key_of(choice.params) not in drawn and self._is_possible(choice.config))
        return min(samples, len(asked) + len(to_come) + len(list(left)))

    def _is_possible(self, config: Config) -> bool:
        try:
            self.check(config)
        except SizeError:
            return False
        return True

    def cost(self, config: Config) -> Cost:
        """A configuration's cost; raises SizeError if its network cannot take such images, RequestError if wrong."""
        key = json.dumps(config.to_json()["network"], sort_keys=True)
        if key not in self._costs:
            self._costs[key] = cost_of(config, self.images)
        return self._costs[key]

    def check(self, config: Config) -> None:
        """Raise SizeError or RequestError for a configuration that these images cannot be trained with."""
        self.cost(config)
        check_training(self.complete(config), self.images.shape, len(self.images.classes))

    def check_list(self) -> None:
        """Raise RequestError for a line of a list that these images cannot be trained with."""
        for listed in (self.space, *([self.first] if self.first else [])):
            for place, config in zip(listed.places, listed.configs, strict=True):
                try:
                    self.check(config)
                except SizeError as error:
                    raise RequestError(f"{listed.name}, {place} is impossible for these images: {error}") from error
                except ValueError as error:
                    raise RequestError(f"{listed.name}, {place}: {error}") from error

    def seed_of(self, trial: int) -> int:
        """The seed of a trial's training; in a study, all arms of a repeat share one."""
        arms = self.space.arms
        return derive_seed(self.request.seed, trial // len(arms) if arms else trial)

    def complete(self, config: Config) -> Config:
        """A configuration with the request's epochs and augmentation where it sets none, or where the user asked."""
        if self.request.augment_all and not self.space.configs:
            config = config.with_training(augment=self.request.augment)
        return config.with_defaults(epochs=self.request.epochs, augment=self.request.augment)

    def sampler(self) -> Sampler:
        """A new sampler; impossible networks and repeated draws are drawn again."""
        request = self.request
        history = history_of(request, scheduler_of(request, request.samples).rungs, self.prior.observed)
        first = self.first.configs if self.first else ()
        known = Experience(self.recordings, side(self.images.shape))
        return make_sampler(self.space, request.sampler, request.seed, self.check, history, first, known)

    def order(self, samples: int, speeds: Speeds | None = None) -> Sequence[int]:
        """Trial numbers in the order in which they begin: of a list without a scheduler, the longest trials first.

        Otherwise in the order of drawing. speeds: of some trials, by number; the times of the others are estimated from
        them. Without any, more FLOPs are taken to last longer.
        """
        if not self.space.configs or self.request.scheduler != "none":
            return range(samples)
        configs = [self.complete(config) for config in self.space.configs[:samples]]
        costs = [self.cost(config) for config in configs]
        epoch: Sequence[float] = [cost.flops for cost in costs]
        if speeds:
            epoch = times(configs, costs, speeds, self.num_train, self.num_validation).epochs
        work = [each * (config.training.epochs or 0) for each, config in zip(epoch, configs, strict=True)]
        arms = len(self.space.arms) or samples  # in a study, one repeat of all arms after the other
        return sorted(range(samples), key=lambda trial: (trial // arms, -work[trial]))

    def plan(self) -> Plan:
        """The search's first draws and their costs; a sampler that learns draws as at the beginning of a search."""
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
            hears=self.request.hears,
            scheduler=self.request.scheduler,
            also=self.request.costs,
            options=self.request.scheduler_options,
            pauses=scheduler_of(self.request, self.samples).pauses,
            max_t=self.request.epochs,
        )


def cost_of(config: Config, images: Images) -> Cost:
    """A configuration's cost; raises SizeError if it cannot be trained on such images, RequestError if it is wrong.

    Pretrained weights of its network are downloaded now.
    """
    network = config.network
    of = network.name, network.hyperparameters, images.shape, len(images.classes)
    try:
        made = make_without_weights(*of)
        cost = network_cost(*of, made)
        if isinstance(made, Network) and made.weights is not None:
            from architectures.pretrained import check_weights  # imports torch, which other networks do not need here

            check_weights(made)
    except SizeError as error:
        raise SizeError(f"network '{network.name}': {error}") from error
    except ValueError as error:
        named = f"network '{network.name}'"
        raise RequestError(str(error) if str(error).startswith(named) else f"{named}: {error}") from error
    return cost


def first_of(request: Request, space: Space) -> Space | None:
    """The list of configurations to try first; raises RequestError if space or number of trials do not allow it."""
    if request.first is None:
        return None
    if space.function is None:
        raise RequestError(
            f"--first is for a space that is drawn from, and {space.name} is a list: put them first in it"
        )
    found = read_list(Path(request.first))
    if len(found.configs) > request.samples:
        raise RequestError(
            f"--first {request.first} holds {len(found.configs)} configurations, more than --samples {request.samples}"
        )
    return found


def new_problem(request: Request, *, is_share_asked: bool, listed: Space | None = None) -> Problem:
    """A new search's problem; raises one of the named errors if it cannot be searched.

    Its request is the given one with all settled that this leaves open, as it is recorded.
    listed: the arms of a study, if it is one; else the request's space is looked up.
    """
    space = listed or find_space(request.space)
    request = checked(request, space)  # a wrong option raises before the images are read
    own = own_dataset(request)
    taken = survey_of(own) if own else None
    if taken and taken.validation and is_share_asked:
        raise RequestError(
            f"--validation is a share of train to hold out, but {request.dataset} has its own validation images, in "
            f"{taken.validation}: leave --validation out, or move them away"
        )
    given = part_images(request, "validation", own) if taken and taken.validation else None
    images = training_images(request, own)
    request = with_experience(request, side(images.shape))
    problem = Problem(
        request,
        space,
        images,
        given,
        replace(taken, bits=images.bits) if taken else None,
        own,
        first_of(request, space),
        prior_of(request, space.function, images),
        recordings_for(request),
    )
    _ = problem.num_train  # an impossible split raises first
    if own:
        _, height, width = images.shape
        check_test(own, data_dir=Path(request.data_dir), image_size=request.image_size, size=(width, height))
    problem.check_list()
    return problem
