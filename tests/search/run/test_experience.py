"""Earlier searches, of other images, as experience that a new one begins with."""

import json
import shutil
from pathlib import Path

import pytest

from search.experience.recordings import Recording, read_recordings, text_of
from search.history import store
from search.history.events import State, parse
from search.history.ledger import read
from search.history.load import read_search
from search.history.record import Record
from search.history.request import Request
from search.page.sections import provenance
from search.page.view import View
from search.run.experience import ExperienceError, comparable, named, places, read_recordings_of, recordings_for
from search.run.launch import launch, resume
from search.run.session import Options
from search.spaces.flat_names import flat_names_of
from tests.search.events import measured, record, run
from trainables.config import Config

OPTIONS = Options(engine="inline")


def ended(trial: int, values: list[float], state: State = State.STOPPED):
    return run(trial, [measured(10 * (at + 1), value, trial=trial) for at, value in enumerate(values)], state)


def test_a_trial_that_was_let_go_on_is_better_whatever_its_values_and_among_equals_the_best_value_counts():
    runs = [
        ended(0, [0.9]),
        ended(1, [0.5, 0.6], State.DONE),
        ended(2, [0.4, 0.3], State.PAUSED),
        ended(3, [0.8]),
        ended(4, [0.9, 0.9, 0.9], State.DIVERGED),
        ended(5, [0.9]),
    ]
    assert places(runs, (1.0, 2.0)) == [2, 4, 3, 1, 0, 2]


def test_how_far_a_trial_was_let_go_on_is_the_rung_and_not_its_epochs():
    runs = [
        ended(0, [0.9, 0.9], State.DONE),  # with patience, or fewer epochs of its own
        ended(1, [0.5, 0.5, 0.5, 0.5], State.DONE),
        run(2, [measured(5, 0.7, trial=2)], State.PAUSED),
        run(3, [measured(6, 0.6, trial=3)], State.PAUSED),  # at the same rung, with another batch
        run(4, [measured(6, 0.8, trial=4), measured(20, 0.1, trial=4)], State.PAUSED),
    ]
    assert places(runs, (0.5, 1.0, 2.0)) == [4, 3, 1, 0, 2]
    assert places(runs[:2], ()) == [1, 0]


def test_trials_that_may_go_on_are_left_out_and_so_are_those_that_failed():
    states = [State.DONE, State.STOPPED, State.DIVERGED, State.PAUSED, State.FAILED, State.INFEASIBLE, State.RUNNING]
    found = record(*(ended(trial, [0.5], state) for trial, state in enumerate(states)))
    assert [each.key[0] for each in comparable(found)] == [0, 1, 2]


def test_recordings_are_written_and_read_again():
    network = {"name": "cnn5", "head_widths": [64, 32]}
    config = {"network": network, "optimizer": {"name": "sgd", "lr": 0.1}, "training": {"batch_size": 32}}
    row = flat_names_of(Config.from_json(config))
    written = [Recording("one", "cnn5 on digits", [row, row], [1.0, 0.0], 16), Recording("two", "nothing", [], [])]
    found = read_recordings(text_of(written))
    assert [vars(each) for each in found] == [vars(each) for each in written]


def request(tmp_path: Path, **more: object) -> Request:
    same = {"space": "cnn5", "epochs": 1, "dataset": "digits", "data_dir": str(tmp_path), "limit_train": 100}
    return Request(**{**same, "augment": "none", "scheduler": "none", "samples": 9, **more})  # type: ignore[arg-type]


def trials(search: store.Search):
    return Record(parse(read(search.ledger))).trials


@pytest.mark.slow
def test_a_search_begins_with_one_of_other_images_also_when_that_is_gone(tmp_path, capsys):
    earlier = launch(request(tmp_path), OPTIONS, results=tmp_path, name="earlier").search
    (known,) = recordings_for(request(tmp_path, sampler="transfer", experience=named("earlier", tmp_path)))
    assert (known.dataset, known.what, len(known.tried), known.size) == (
        "earlier",
        "cnn5 on digits",
        9,
        16,
    )
    best = max(trials(earlier), key=lambda each: each.at_best("value"))
    assert known.tried[known.values.index(max(known.values))] == flat_names_of(Config.from_json(best.config))

    new = {"limit_train": 200, "samples": 2, "sampler": "transfer"}
    others = request(tmp_path, **new, experience=named("earlier,digits", tmp_path))
    search = launch(others, OPTIONS, results=tmp_path, name="later").search
    said = capsys.readouterr().err
    assert "experience: the sampler starts from 9 trials of earlier (cnn5 on digits)" in said
    assert "experience: the sampler starts from recorded runs on digits\n" in said
    facts = provenance.section(View(read_search(tmp_path, "later"))).blocks[1]
    assert "drawn by transfer, starting from earlier, digits" in str(facts)
    assert search.request.experience == f"{tmp_path / 'earlier'},digits"
    alone = launch(request(tmp_path, **new, experience="digits"), OPTIONS, results=tmp_path, name="alone").search
    assert [each.config for each in trials(search)] != [each.config for each in trials(alone)]

    whole = launch(replace_samples(others, 4), OPTIONS, results=tmp_path, name="whole").search
    shutil.rmtree(earlier.folder)
    resume(store.find(tmp_path, "later"), OPTIONS, samples=4)
    assert [each.config for each in trials(search)] == [each.config for each in trials(whole)]

    (search.folder / "experience.jsonl").write_text(json.dumps({"dataset": "earlier"}))
    with pytest.raises(ExperienceError, match=r"experience.jsonl is damaged \(KeyError"):
        read_recordings_of(search.folder, search.request)
    (search.folder / "experience.jsonl").write_text("")
    with pytest.raises(ExperienceError, match="it has nothing of earlier"):
        resume(store.find(tmp_path, "later"), OPTIONS, samples=5)


@pytest.mark.slow
def test_a_search_that_began_before_its_experience_was_copied_continues_with_what_hpsearch_brings_along(tmp_path):
    new = request(tmp_path, samples=2, sampler="transfer", experience="digits,cifar10")
    begun = launch(new, OPTIONS, results=tmp_path, name="begun").search
    whole = launch(replace_samples(new, 4), OPTIONS, results=tmp_path, name="whole").search
    copied = read_recordings_of(begun.folder, new)
    assert [each.dataset for each in copied] == ["cifar10", "cifar10", "digits", "digits"]
    (begun.folder / "experience.jsonl").unlink()
    resume(store.find(tmp_path, "begun"), OPTIONS, samples=4)
    assert [each.config for each in trials(begun)] == [each.config for each in trials(whole)]

    own = [Recording("earlier", "cnn5 on digits", copied[0].tried, copied[0].values)]
    (begun.folder / "experience.jsonl").write_text(text_of(own))  # as an earlier version did, which copied only these
    found = read_recordings_of(
        begun.folder, request(tmp_path, sampler="transfer", experience=f"digits,{tmp_path}/earlier")
    )
    assert [each.dataset for each in found] == ["digits", "digits", "earlier"]


def replace_samples(request: Request, samples: int) -> Request:
    return Request(**{**vars(request), "samples": samples})


def test_a_path_with_a_comma_is_refused(tmp_path):
    folder = tmp_path / "a,b" / "one"
    folder.mkdir(parents=True)
    (folder / "search.json").touch()
    with pytest.raises(ExperienceError, match="takes no path with a comma"):
        named("one", tmp_path / "a,b")
