"""Steps as CUDA graphs: on the CPU with a stand-in for the graph, on a GPU with real ones."""

from collections.abc import Callable
from copy import deepcopy
from inspect import signature
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from architectures.families import FAMILIES, network_cost
from architectures.families.published import PUBLISHED
from architectures.layers import SizeError
from tests.trainables.trainings import Make, configured, everything, run, same_weights, untimed, warmed_up
from trainables import cuda_graph
from trainables.config import Config
from trainables.data.images import Images
from trainables.optimizers import OPTIMIZERS
from trainables.resident import Resident
from trainables.training import Training


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_captured_steps_are_the_eager_ones_also_after_a_checkpoint(
    make: Make, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_graph, "capture", warmed_up)
    config = everything(name)
    eager, captured = make(config, num_images=250), make(config, num_images=250, captured=True)  # 250 = 7 × 32 + 26
    first, expected = untimed(captured.run_segment()), untimed(eager.run_segment())
    continued = make(config, num_images=250, captured=True)
    continued.restore(captured.state())
    rest = run(captured)
    assert run(continued) == rest
    assert same_weights(continued, captured)
    if name == "muon":  # its captured changes are rounded before they have the learning rate
        assert first.train_loss == pytest.approx(expected.train_loss, rel=1e-3)
        assert rest[-1].train_loss == pytest.approx(run(eager)[-1].train_loss, rel=1e-2)
    else:
        assert (first, rest) == (expected, run(eager))
        assert same_weights(captured, eager)


def test_captured_steps_are_the_same_where_images_are_mixed_until_the_training_is_refined(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_graph, "capture", warmed_up)
    config = configured().with_training(cutmix=0.5, refine=0.4)
    eager, captured = make(config), make(config, captured=True)
    assert untimed(captured.run_segment()) == untimed(eager.run_segment())
    continued = make(config, captured=True)
    continued.restore(captured.state())
    rest = run(eager)
    assert run(captured) == rest
    assert run(continued) == rest
    assert same_weights(captured, eager) and same_weights(continued, eager)


@pytest.mark.parametrize("family", [*PUBLISHED, "resnet9"])
def test_weights_that_are_converted_together_train_as_under_autocast_to_the_bit(
    digits: Images, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_graph, "capture", warmed_up)
    config = Config.from_json(everything("adam").to_json() | {"network": {"name": family, "width": 0.25}})
    images = Resident.of(digits.take(np.arange(90)), "cpu")  # 32, 32 and 26
    plain, together = (
        Training(config, images, images, seed=0, precision="bfloat16", captured=captured) for captured in (False, True)
    )
    assert together._halves is not None and plain._halves is None
    assert untimed(together.run_segment()) == untimed(plain.run_segment())
    assert same_weights(together, plain)


def test_frozen_weights_stay_and_parts_of_a_batch_are_summed_also_where_captures_are_asked_for(
    digits: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_graph, "capture", warmed_up)
    images = Resident.of(digits.take(np.arange(48)), "cpu")
    frozen = Config.from_json(
        everything("adam").to_json() | {"network": {"name": "resnet50", "size": 32, "weights": "random", "body_lr": 0}}
    )
    narrow = Config.from_json(everything("adam").to_json() | {"network": {"name": "cnn5", "width": 0.25}})
    for config, part in ((frozen, None), (narrow, 8)):
        plain, captured = (
            Training(config, images, None, seed=0, precision="bfloat16", captured=way, micro_batch=part)
            for way in (False, True)
        )
        assert untimed(captured.run_segment()) == untimed(plain.run_segment())
        assert same_weights(captured, plain)


def test_a_step_that_is_too_large_to_capture_runs_uncaptured(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(work: Callable[[], None]) -> Callable[[], None]:
        work()
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(cuda_graph, "capture", too_large)
    config = everything("adam")
    assert run(make(config, captured=True)) == run(make(config))


@pytest.mark.parametrize("at", [1, 5])
def test_a_training_whose_optimizer_is_too_large_to_capture_runs_uncaptured(
    make: Make, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    orthogonalise, calls, captures = torch.optim._muon._zeropower_via_newtonschulz, [], []

    def too_large(*arguments: Any) -> torch.Tensor:
        calls.append(arguments)
        if len(calls) == at:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return orthogonalise(*arguments)

    def second_is_too_large(work: Callable[[], None]) -> Callable[[], None]:
        captures.append(work)
        with monkeypatch.context() as patch:
            if len(captures) == 2:
                patch.setattr(torch.optim._muon, "_zeropower_via_newtonschulz", too_large)
            return warmed_up(work)

    monkeypatch.setattr(cuda_graph, "capture", second_is_too_large)
    config = everything("muon")
    captured, eager = make(config, captured=True), make(config)
    assert run(captured) == run(eager)
    assert (len(captures), len(calls)) == (2, at)
    assert same_weights(captured, eager)
    assert [group["weight_decay"] for group in captured.optimizer.param_groups] == [
        group["weight_decay"] for group in eager.optimizer.param_groups
    ]


@pytest.mark.parametrize("name", ["adam", "muon"])
def test_a_captured_training_can_be_restored_and_is_captured_again(
    make: Make, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_graph, "capture", warmed_up)
    training = make(everything(name), captured=True)
    training.run_segment()
    state = deepcopy(training.state())
    rest = run(training)
    training.restore(state)
    assert run(training) == rest


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_gradients_keep_their_memory_in_a_captured_training(
    digits: Images, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_graph, "capture", warmed_up)
    images = Resident.of(digits.take(np.arange(90)), "cpu")  # 32, 32 and 26
    training = Training(everything("muon"), images, None, seed=0, precision=precision, captured=True)
    found = []
    for _ in range(2):
        training.run_segment()
        gradients = [weights.grad for weights in training.model.parameters()]
        found.append([gradient.data_ptr() for gradient in gradients if gradient is not None])
    assert found[0] == found[1] and len(found[0]) == len(gradients)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(
    ("family", "name"),
    [*product(PUBLISHED, OPTIMIZERS), *((family, "adam") for family in FAMILIES if family not in PUBLISHED)],
)
def test_on_a_gpu_captured_steps_are_the_eager_ones_also_after_a_checkpoint(
    digits: Images, family: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    takes = signature(FAMILIES[family].function).parameters
    small = {key: value for key, value in (("width", 0.25), ("weights", "random"), ("size", 32)) if key in takes}
    small |= {"width": 16} if family == "mlp" else {}  # units of a layer, not a factor
    config = Config.from_json(everything(name).to_json() | {"network": {"name": family, **small}})
    try:
        network_cost(family, small, (1, 16, 16), 10)
    except SizeError as error:
        pytest.skip(str(error))
    images = Resident.of(digits.take(np.arange(250)), "cuda")
    eager = Training(config, images, images, seed=0, captured=False)
    captured = Training(config, images, images, seed=0, captured=True)
    first = untimed(captured.run_segment())
    assert first.train_loss == pytest.approx(untimed(eager.run_segment()).train_loss, rel=1e-3)
    continued = Training(config, images, images, seed=0, captured=True)
    continued.restore(captured.state())
    rest = run(captured)
    assert [each.train_loss for each in run(continued)] == pytest.approx([each.train_loss for each in rest], rel=1e-3)
    assert [each.train_loss for each in run(eager)] == pytest.approx([each.train_loss for each in rest], rel=1e-2)


def test_a_batch_larger_than_the_images_is_not_captured(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cuda_graph, "capture")
    make(configured(batch_size=64), num_images=50, captured=True).run_segment()


def test_by_default_nothing_is_captured_on_a_cpu(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cuda_graph, "capture")
    make(configured()).run_segment()
