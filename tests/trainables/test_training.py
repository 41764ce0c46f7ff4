"""The plain training loop, on a few hundred handwritten digits."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from architectures.blocks import Network
from architectures.build import build
from architectures.steps import Conv, Prepare
from tests.trainables.trainings import STILL, Make, configured, everything, run, same_weights, untimed
from trainables.augment import normalise
from trainables.augmentation import PRESETS
from trainables.batches import EVALUATION_BATCH, at_once, batches_of, blocks_of
from trainables.config import Config
from trainables.data.images import Images
from trainables.files import Folder
from trainables.optimizers import OPTIMIZERS
from trainables.resident import Resident
from trainables.training import Measurement, Training, evaluate
from trainables.worker import checkpoints


def test_parts_of_a_batch_add_up_to_the_batch_s_gradients_where_nothing_sees_other_images(make: Make) -> None:
    whole, parts = make(configured()), make(configured(), micro_batch=5)
    first, second = whole.run_segment(), parts.run_segment()
    assert second.images == first.images
    assert second.train_loss == pytest.approx(first.train_loss, abs=1e-5)
    for name, value in whole.model.state_dict().items():
        assert torch.allclose(value, parts.model.state_dict()[name], atol=1e-5)


def test_batch_norm_sees_the_parts_and_so_differs(make: Make) -> None:
    config = configured(network={"norm": "everywhere"})
    whole, parts = make(config), make(config, micro_batch=5)
    assert abs(whole.run_segment().train_loss - parts.run_segment().train_loss) > 1e-4


def test_parts_as_large_as_the_batch_change_no_bit(make: Make) -> None:
    assert run(make(configured())) == run(make(configured(), micro_batch=32))


def batches_seen(training: Training) -> list[Tensor]:
    """Return the list to which every batch that the model is trained on will be appended."""
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor]) -> None:
        if module.training:
            seen.append(inputs[0].clone())

    training.model.register_forward_pre_hook(keep)
    return seen


def rates_used(training: Training) -> list[float]:
    """Return the list to which the learning rate of every step will be appended."""
    used: list[float] = []
    training.optimizer.register_step_pre_hook(lambda optimizer, *_: used.append(optimizer.param_groups[0]["lr"]))
    return used


def test_it_learns(make: Make) -> None:
    first, second, third = run(make(configured(optimizer={"momentum": 0.9})))
    assert first.train_loss > second.train_loss > third.train_loss
    assert third.train_accuracy > first.train_accuracy
    assert third.val_accuracy is not None
    assert third.val_accuracy > 0.3  # guessing would be .1


def test_progress_is_images_and_the_epoch_follows_from_it(make: Make) -> None:
    training = make(configured())
    assert (training.images, training.epoch, training.finished) == (0, 0, False)
    measured = run(training)
    assert [(m.images, m.epoch) for m in measured] == [(240, 1.0), (480, 2.0), (720, 3.0)]
    assert (training.images, training.epoch, training.finished) == (720, 3, True)


def test_time_and_speed_are_those_of_the_epoch(make: Make) -> None:
    measurement = make(configured()).run_segment()
    assert 0 < 240 / measurement.images_per_second < measurement.seconds


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_same_seed_gives_the_same_curve_to_the_bit_and_another_seed_another(make: Make, name: str) -> None:
    config = everything(name).with_training(epochs=2)
    first, again, other = make(config, seed=5), make(config, seed=5), make(config, seed=6)
    curves = []
    for training in (first, again, other):
        torch.rand(7)  # what else the process drew shall not matter
        curves.append(run(training))
    assert curves[0] == curves[1]
    assert same_weights(first, again)
    assert curves[0] != curves[2]
    assert not same_weights(first, other)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_continuing_from_a_checkpoint_is_as_if_never_interrupted(make: Make, tmp_path: Path, name: str) -> None:
    whole = make(everything(name), seed=3)
    curve = run(whole)
    begun = make(everything(name), seed=3)
    first = untimed(begun.run_segment())
    checkpoints.save(Folder(str(tmp_path)), "1.pt", begun.state())
    continued = make(everything(name), seed=3)
    continued.restore(checkpoints.load(Folder(str(tmp_path)), "1.pt"))
    assert continued.epoch == 1
    assert [first, *run(continued)] == curve
    assert same_weights(continued, whole)


def test_two_trainings_in_turns_do_not_disturb_each_other(make: Make) -> None:
    alone = [run(make(everything(name), seed=1)) for name in ("adam", "sgd")]
    adam, sgd = make(everything("adam"), seed=1), make(everything("sgd"), seed=1)
    turns = [(untimed(adam.run_segment()), untimed(sgd.run_segment())) for _ in range(3)]
    assert [list(curve) for curve in zip(*turns, strict=True)] == alone


def test_every_image_is_trained_exactly_once_an_epoch_and_in_another_order_the_next(make: Make) -> None:
    training = make(configured(optimizer={"lr": STILL}))
    seen = batches_seen(training)
    training.run_segment()
    first = torch.cat(seen).flatten(1)
    seen.clear()
    training.run_segment()
    second = torch.cat(seen).flatten(1)
    expected = normalise(training.train.pixels).flatten(1)
    for images in (first, second):
        assert sorted(images.tolist()) == sorted(expected.tolist())
    assert not torch.equal(first, expected)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("num_images", "sizes"), [(97, [32, 32, 33]), (98, [32, 32, 32, 2]), (96, [32, 32, 32]), (33, [33]), (20, [20])]
)
def test_a_lone_last_image_joins_the_batch_before(make: Make, num_images: int, sizes: list[int]) -> None:
    training = make(configured(network={"norm": "everywhere", "head_widths": [8]}), num_images=num_images)
    seen = batches_seen(training)
    measurement = training.run_segment()
    assert [len(batch) for batch in seen] == sizes
    assert (measurement.images, measurement.epoch) == (num_images, 1.0)


def test_the_training_loss_is_the_mean_over_images_also_when_batches_differ(make: Make) -> None:
    training = make(configured(optimizer={"lr": STILL}), num_images=98)
    measurement = training.run_segment()
    with torch.no_grad():
        logits = training.model(normalise(training.train.pixels))
    assert measurement.train_loss == pytest.approx(cross_entropy(logits, training.train.labels).item(), rel=1e-5)
    assert round(98 * measurement.train_accuracy, 6) == (logits.argmax(1) == training.train.labels).sum()


def test_a_cosine_goes_from_the_learning_rate_to_nearly_zero_over_all_epochs(make: Make) -> None:
    training = make(configured(schedule="cosine"))
    rates = rates_used(training)
    measured = run(training)
    assert rates[0] == 0.05
    assert rates == sorted(rates, reverse=True)
    assert rates[len(rates) // 2] == pytest.approx(0.025, rel=0.1)
    assert 0 < rates[-1] < 0.05 / 100
    assert measured[-1].learning_rate == rates[-1]


def test_a_constant_learning_rate_stays(make: Make) -> None:
    training = make(configured())
    rates = rates_used(training)
    run(training)
    assert set(rates) == {0.05}


def test_label_smoothing_changes_the_training_loss_and_not_what_is_validated(make: Make) -> None:
    plain = make(configured(optimizer={"lr": STILL})).run_segment()
    smooth = make(configured(optimizer={"lr": STILL}, label_smoothing=0.3)).run_segment()
    assert plain.train_loss != smooth.train_loss
    assert (plain.train_accuracy, plain.val_loss) == (smooth.train_accuracy, smooth.val_loss)


def test_validation_depends_on_weights_alone(make: Make) -> None:
    """Neither augmentation nor the batch size of training may show in it."""
    measured = [
        make(configured(optimizer={"lr": STILL}, augment=augment, batch_size=size)).run_segment()
        for augment, size in (("none", 32), ("published", 32), ("flip-crop", 7))
    ]
    assert len({m.val_loss for m in measured}) == len({m.val_accuracy for m in measured}) == 1
    assert len({m.train_loss for m in measured}) == 3


def test_validation_is_the_mean_over_the_plain_images_without_dropout(make: Make) -> None:
    training = make(everything("sgd"))
    measurement = training.run_segment()
    assert training.validation is not None
    labels = training.validation.labels
    with torch.no_grad():
        logits = training.model.eval()(normalise(training.validation.pixels))
    assert measurement.val_loss == pytest.approx(cross_entropy(logits, labels).item(), rel=1e-5)
    assert measurement.val_accuracy == pytest.approx((logits.argmax(1) == labels).float().mean().item())


def test_balanced_accuracy_is_the_mean_over_the_classes_that_the_validation_images_have(digits: Images) -> None:
    """Nine of ten classes, two of them smaller, in more batches than one."""
    order = np.argsort(digits.labels, kind="stable")
    times = np.array([0, 1, 3, *[6] * 7])[digits.labels[order]]
    uneven = digits.take(np.repeat(order, times))
    validation = Resident.of(uneven, "cpu")
    assert len(uneven) > 512 and np.bincount(uneven.labels)[0] == 0
    training = Training(configured(epochs=2), Resident.of(digits, "cpu"), validation, seed=0)
    for _ in range(2):
        measurement = training.run_segment()
        predicted = torch.cat([logits.argmax(1) for logits, _ in evaluate(training.model, validation, "float32")])
        expected = balanced_accuracy_score(uneven.labels, predicted.numpy())
        assert measurement.val_balanced_accuracy == pytest.approx(expected, rel=1e-12)
        assert measurement.val_balanced_accuracy != measurement.val_accuracy


def test_training_without_an_augmentation_of_its_own_is_augmented_as_published(make: Make) -> None:
    config = configured(epochs=1)
    none_named, published = (run(make(config.with_training(augment=name))) for name in (None, "published"))
    assert none_named == published
    assert set(PRESETS) == {"none", "flip-crop", "published"}


def test_without_validation_its_fields_are_none_and_training_is_the_same(make: Make) -> None:
    validated, alone = make(everything("sgd")), make(everything("sgd"), validated=False)
    with_validation, without = run(validated), run(alone)
    nothing = dict.fromkeys(("val_loss", "val_accuracy", "val_balanced_accuracy"))
    assert [replace(m, **nothing) for m in with_validation] == without
    assert same_weights(validated, alone)
    assert all(m.finite for m in without)


@pytest.mark.parametrize("validated", [True, False])
def test_a_huge_learning_rate_diverges_and_says_so(make: Make, validated: bool) -> None:
    measured = run(make(configured(optimizer={"lr": 1e20}), validated=validated))
    assert not measured[-1].finite
    assert not math.isfinite(measured[-1].train_loss)


def test_a_validation_loss_that_is_no_number_is_a_divergence_too(make: Make) -> None:
    measurement = make(configured()).run_segment()
    assert measurement.finite
    assert not replace(measurement, val_loss=math.nan).finite
    assert not replace(measurement, val_loss=math.inf).finite


def test_bfloat16_trains_near_float32_and_keeps_its_weights_in_float32(make: Make) -> None:
    config = configured(optimizer={"momentum": 0.9})
    half, full = make(config, precision="bfloat16"), make(config)
    first, *_, last = run(half)
    plain = full.run_segment().train_loss
    assert last.train_loss < first.train_loss
    assert first.train_loss != plain
    assert first.train_loss == pytest.approx(plain, rel=0.02)
    assert {p.dtype for p in half.model.parameters()} == {torch.float32}


def test_a_configuration_without_epochs_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match=r"no number of epochs; see Config.with_defaults"):
        make(configured(epochs=None))


def test_evaluation_gives_every_image_once_and_in_order(digits: Images, make: Make) -> None:
    model = make(everything("sgd")).model
    many = digits.take(np.arange(700) % len(digits))  # more than one evaluation batch
    found = list(evaluate(model, Resident.of(many, "cpu"), "float32"))
    assert len(found) == 2
    assert torch.cat([labels for _, labels in found]).tolist() == many.labels.tolist()
    with torch.no_grad():
        expected = model.eval()(normalise(torch.from_numpy(many.pixels)))
    torch.testing.assert_close(torch.cat([logits for logits, _ in found]).clone(), expected)


@pytest.mark.parametrize("enlarged", [False, True])
def test_evaluation_takes_as_many_pixels_at_once_whatever_the_size_of_the_images(enlarged: bool) -> None:
    side = 32 if enlarged else 64
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (300, 3, side, side), dtype=torch.uint8, generator=generator)
    images = Resident(pixels, torch.arange(300) % 10, 10)
    prepared = (Prepare(64),) if enlarged else ()
    torch.manual_seed(0)
    model = build(Network(blocks=(*prepared, Conv(channels=4, kernel=3, stride=4))), (3, side, side), 10)
    found = list(evaluate(model, images, "float32"))
    assert [len(labels) for _, labels in found] == [128, 128, 44]
    few = list(evaluate(model, images, "float32", 7))
    assert {len(labels) for _, labels in few} == {7, 300 % 7}
    assert torch.equal(*(torch.cat([labels for _, labels in each]) for each in (found, few)))
    logits, of_few = (torch.cat([part for part, _ in each]).clone() for each in (found, few))
    torch.testing.assert_close(logits, of_few)
    assert torch.equal(logits.argmax(1), of_few.argmax(1))


def test_larger_images_are_validated_and_augmented_in_smaller_batches_to_the_same_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (200, 3, 64, 64), dtype=torch.uint8, generator=generator)
    images = Resident(pixels, torch.arange(200) % 10, 10)

    def first() -> Measurement:
        config = configured(augment="published", network={"name": "cnn5", "width": 0.1})
        return untimed(Training(config, images, images, seed=0).run_segment())

    small = first()
    monkeypatch.setattr("trainables.batches._SMALL", 64 * 64)
    large = first()
    assert small.val_loss == pytest.approx(large.val_loss, rel=1e-5)
    assert replace(small, val_loss=0.0) == replace(large, val_loss=0.0)


def test_images_up_to_32_by_32_are_taken_512_at_once_and_of_any_size_at_least_one() -> None:
    assert [at_once(EVALUATION_BATCH, side * side) for side in (8, 32, 64, 224, 1024)] == [512, 512, 128, 10, 1]
    batches = batches_of(torch.arange(600), 32)
    assert [len(next(blocks_of(batches, side * side))) for side in (32, 64, 224)] == [16, 4, 1]


def test_images_stay_as_they_are(make: Make) -> None:
    training = make(everything("adam"))
    before = training.train.pixels.clone(), training.train.labels.clone()
    run(training)
    assert torch.equal(training.train.pixels, before[0])
    assert torch.equal(training.train.labels, before[1])


def test_a_users_own_module_trains(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"own_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(
        "from torch import nn\n"
        "def make(input_shape, num_classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[1] ** 2, num_classes))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = configured().to_json() | {"network": {"name": f"{name}:make"}}
    first, *_, last = run(make(Config.from_json(config)))
    assert last.train_loss < first.train_loss


def test_with_class_weights_each_class_counts_alike_in_the_loss(make: Make) -> None:
    training = make(configured(optimizer={"lr": STILL}, class_weights=True), num_images=64)
    measurement = training.run_segment()
    with torch.no_grad():
        losses = cross_entropy(
            training.model(normalise(training.train.pixels)), training.train.labels, reduction="none"
        )
    labels = training.train.labels
    of_classes = [losses[labels == each].mean() for each in labels.unique()]
    assert len({int((labels == each).sum()) for each in labels.unique()}) > 1  # or the test shows nothing
    assert measurement.train_loss == pytest.approx(torch.stack(of_classes).mean().item(), rel=1e-5)


@pytest.mark.parametrize("mixed", [{}, {"mixup": 1.0}])
def test_smoothing_is_weighted_by_the_image_s_own_class_so_that_a_rare_class_does_not_win(
    make: Make, mixed: dict[str, float]
) -> None:
    config = configured(optimizer={"lr": STILL}, class_weights=True, label_smoothing=0.2, **mixed)
    training = make(config, num_images=64)
    seen: list[tuple[Tensor, Tensor]] = []
    training._compute = lambda inputs, labels: seen.append((inputs, labels))
    training.run_segment()
    weights, classes = training._class_weights, training.train.num_classes
    assert weights is not None
    for inputs, labels in seen:
        loss, logits = training._forward(inputs, labels)
        shares = one_hot(labels, classes).float() if labels.dim() == 1 else labels
        each = cross_entropy(
            logits[:, None].expand(-1, classes, -1).flatten(0, 1),
            torch.arange(classes).repeat(len(inputs)),
            label_smoothing=0.2,
            reduction="none",
        ).view(-1, classes)  # as if it were of each class
        assert loss.item() == pytest.approx((each * shares * weights).sum().item() / len(inputs), rel=1e-5)


def test_steps_count_a_smaller_last_batch_as_one(make: Make) -> None:
    training = make(configured(time_decay=0.01, epochs=3, batch_size=48), num_images=65)
    rates: list[float] = []
    step = training.optimizer.step
    training.optimizer.step = lambda: (rates.append(training.optimizer.param_groups[0]["lr"]), step())  # type: ignore
    run(training)
    assert len(rates) == 6
    assert rates == pytest.approx([rates[0] / (1 + 0.01 * number) for number in range(6)])


def test_class_weights_change_nothing_where_classes_are_even(digits: Images) -> None:
    rows = np.concatenate([np.flatnonzero(digits.labels == each)[:20] for each in range(10)])
    even = Resident.of(digits.take(rows), "cpu")
    first, second = (
        Training(configured(class_weights=weighted), even, None, seed=0).run_segment() for weighted in (False, True)
    )
    assert second.train_loss == pytest.approx(first.train_loss, rel=1e-5)


def test_every_parameter_group_follows_the_schedule_from_its_own_rate(make: Make) -> None:
    config = configured(
        optimizer={"name": "muon", "lr": 0.1, "others_lr": 0.001, "weight_decay": 0.1},
        network={"head_widths": [16]},
        schedule="linear",
        decayed="weights",
    )
    training = make(config)
    assert {group["lr"] for group in training.optimizer.param_groups} == {0.1, 0.001}
    training.run_segment()
    factor = 1 - (240 - 16) / 720  # of the last batch, of sixteen images
    found = sorted(group["lr"] for group in training.optimizer.param_groups)
    assert found == pytest.approx([0.001 * factor] * (len(found) - 1) + [0.1 * factor])


def test_weights_may_begin_as_he_et_al_drew_them(make: Make) -> None:
    torchs, again, kaiming = (make(configured(init=how)) for how in ("torch", "torch", "kaiming"))
    assert same_weights(torchs, again) and not same_weights(torchs, kaiming)
    last = [part for part in kaiming.model.modules() if isinstance(part, nn.Linear)][-1]
    assert last.weight.std().item() == pytest.approx(math.sqrt(2 / last.in_features), rel=0.1)
    assert not last.bias.any()
