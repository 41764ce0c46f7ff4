"""Trainings that learn what other networks say."""

import pytest
import torch
from torch import nn

from tests.trainables.trainings import Make, configured, run, same_weights, warmed_up
from trainables import cuda_graph
from trainables.data.images import Images
from trainables.distillation import Teachers
from trainables.resident import Resident
from trainables.training import Training


def teachers(make: Make, *seeds: int) -> Teachers:
    """Untrained networks, as good as any for what a test has to tell apart."""
    return Teachers([make(configured(), seed=seed).model for seed in seeds])


def test_teachers_say_the_mean_of_their_probabilities_and_do_not_change(make: Make) -> None:
    first, second = make(configured(), seed=1).model, make(configured(network={"norm": "everywhere"}), seed=2).model
    inputs = torch.rand(5, 1, 16, 16)
    before = [value.clone() for value in second.state_dict().values()]
    found = Teachers([first, second])(inputs)
    assert all(map(torch.equal, before, second.state_dict().values()))
    expected = (first(inputs).softmax(1) + second(inputs).softmax(1)) / 2
    torch.testing.assert_close(found, expected)
    assert not found.requires_grad


def test_a_student_learns_what_its_teachers_say_and_no_label(digits: Images, make: Make) -> None:
    config = configured(label_smoothing=0.2)
    taught = make(config, teachers=teachers(make, 1, 2))
    wrong = Images(digits.pixels, (digits.labels + 1) % 10, digits.classes)
    unlabelled = Training(
        config, Resident.of(wrong.take(range(240)), "cpu"), None, seed=0, teachers=teachers(make, 1, 2)
    )
    curve = run(taught)
    assert [m.train_loss for m in curve] == [m.train_loss for m in run(unlabelled)]
    assert same_weights(taught, unlabelled)
    assert not same_weights(taught, make(config))


def test_a_student_approaches_its_teacher(make: Make) -> None:
    config = configured(optimizer={"lr": 0.1}, epochs=20)
    teacher = make(config)
    knows = run(teacher)[-1].val_accuracy
    student = make(config, seed=9, teachers=Teachers([teacher.model]))
    last = run(student)[-1]
    assert last.val_accuracy is not None and knows is not None and last.val_accuracy > knows - 0.1
    assert last.train_accuracy > 0.9  # of what the teacher says


@pytest.mark.parametrize("changes", [{}, {"cutmix": 0.5, "refine": 0.4}])
def test_a_student_is_the_same_after_a_checkpoint_and_with_captured_steps(
    make: Make, monkeypatch: pytest.MonkeyPatch, changes: dict[str, float]
) -> None:
    monkeypatch.setattr(cuda_graph, "capture", warmed_up)
    config = configured().with_training(**changes)
    eager, captured = (make(config, teachers=teachers(make, 1, 2), captured=each) for each in (False, True))
    eager.run_segment(), captured.run_segment()
    continued = make(config, teachers=teachers(make, 1, 2))
    continued.restore(eager.state())
    rest = run(eager)
    assert run(captured) == rest and run(continued) == rest
    assert same_weights(captured, eager) and same_weights(continued, eager)


def test_parts_of_a_batch_have_their_own_part_of_what_teachers_say(make: Make) -> None:
    whole, parts = (make(configured(), teachers=teachers(make, 1), micro_batch=each) for each in (None, 8))
    first, second = run(whole), run(parts)
    assert [m.train_loss for m in second] == pytest.approx([m.train_loss for m in first], rel=1e-4)


def test_teachers_answer_as_few_images_at_a_time_as_the_student_takes(make: Make) -> None:
    asked: list[int] = []
    teacher = make(configured(), seed=1).model
    teacher.register_forward_pre_hook(lambda _, inputs: asked.append(len(inputs[0])))
    make(configured(), num_images=44, teachers=Teachers([teacher]), micro_batch=8).run_segment()
    assert sum(asked) == 44 and max(asked) == 8


def test_a_student_has_no_class_weights_as_what_its_teachers_say_reflects_them(make: Make) -> None:
    plain, weighted = (
        make(configured(class_weights=each), num_images=64, teachers=teachers(make, 1)) for each in (False, True)
    )
    assert len(set(plain.train.labels.bincount().tolist())) > 1  # or the test shows nothing
    assert run(plain) == run(weighted) and same_weights(plain, weighted)


def test_teachers_are_no_part_of_a_student_s_state(make: Make) -> None:
    student = make(configured(), teachers=Teachers([nn.Sequential(nn.Flatten(), nn.Linear(256, 10))]))
    student.run_segment()
    assert student.state().keys() == make(configured()).state().keys()
