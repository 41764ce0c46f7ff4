"""A user's own study, as a TOML file or a function."""

import pytest

from search.studies import StudyError, find_study

GOOD = """
question = "Does momentum help?"
dataset = "digits"
epochs = 4
repeats = 5
measure = "val_accuracy"

[quick]
limit_train = 200
epochs = 2
network = {width = 0.25}

[arms.without]
network = {name = "cnn5"}
optimizer = {name = "sgd", lr = 0.05}

[arms.with]
network = {name = "cnn5"}
optimizer = {name = "sgd", lr = 0.05, momentum = 0.9}
training = {batch_size = 16}

[[published]]
arm = "with"
value = 0.9
measure = "val_accuracy"
"""


def write(folder, text):
    path = folder / "momentum.toml"
    path.write_text(text)
    return str(path)


def test_a_file_is_a_study_under_its_name(tmp_path):
    study = find_study(write(tmp_path, GOOD))
    assert (study.name, study.repeats, study.measure) == ("momentum", 5, "val_accuracy")
    assert [part.dataset for part in study.parts] == ["digits"]
    assert study.arms["with"].optimizer.arguments == {"momentum": 0.9}
    assert study.published[0].value == 0.9
    narrow = study.listed(repeats=1, quick=True).configs[0]
    assert narrow.network.hyperparameters == {"width": 0.25}


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    assert find_study(write(tmp_path, "\ufeff" + GOOD)).arms


def test_a_function_is_a_study_too(tmp_path, monkeypatch):
    (tmp_path / "own_study.py").write_text(
        "from search.studies.study import Part, Study, arm\n\n\n"
        "def mine():\n"
        "    arms = {'a': arm('cnn5'), 'b': arm('cnn5', lr=0.01)}\n"
        "    return Study(name='mine', question='?', parts=(Part(dataset='digits'),), arms=arms, epochs=2)\n\n\n"
        "def other():\n    return 3\n\n\ndef broken():\n    return 1 / 0\n\n\n"
        "def leaving():\n    raise SystemExit('bye')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert find_study("own_study:mine").name == "mine"
    with pytest.raises(StudyError, match=r"own_study:other must return a search.studies.Study, got int"):
        find_study("own_study:other")
    with pytest.raises(StudyError, match=r"own_study:broken raised ZeroDivisionError"):
        find_study("own_study:broken")
    with pytest.raises(StudyError, match=r"own_study:leaving raised SystemExit: bye"):
        find_study("own_study:leaving")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("epochs = 4", "epoch = 4"), "has no field 'epoch' (did you mean 'epochs'?); known: question"),
        (("epochs = 4", ""), "has no epochs; a study needs question, dataset, epochs and arms"),
        (("epochs = 4", "epochs = 'four'"), "epochs must be a whole number of at least 1, got 'four'"),
        (('question = "Does momentum help?"', "question = 3"), "question must be text, got 3"),
        (("repeats = 5", "repeats = 0"), "repeats must be a whole number of at least 1, got 0"),
        (("training = {batch_size = 16}", "repeats = 2"), "arm with has repeats of its own; all arms have as many"),
        (("batch_size = 16", "batch = 16"), "arm with is not a configuration: training has no"),
        (('name = "sgd", lr = 0.05}', 'name = "sgd"}'), "arm without is not a configuration: optimizer"),
        (('arm = "with"', 'arm = "never"'), "published for arm 'never', which it has not; known: without, with"),
        (
            ("value = 0.9", "values = 0.9"),
            "published has no field 'values' (did you mean 'value'?); known: arm, value, std, measure",
        ),
        (("value = 0.9", ""), "one has no value"),
        (("limit_train = 200", "images = 200"), "quick has no field 'images'; known: limit_train, epochs, network"),
        (("[quick]", "[quick"), "is not TOML"),
        (("epochs = 4", f"epochs = {'4' * 5000}"), "is not TOML"),
        (("width = 0.25", f"width = 0x{'f' * 5000}"), "has a whole number of more than 64 bits"),
        (("repeats = 5", f"repeats = {2**63}"), "has a whole number of more than 64 bits"),
        (("epochs = 4", f"epochs = {'[' * 20_000}{']' * 20_000}"), "is not TOML"),
        (('measure = "val_accuracy"\n\n', 'measure = "val"\n\n'), "unknown measure 'val'"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line(tmp_path, change, says):
    assert change[0] in GOOD
    with pytest.raises(StudyError) as error:
        find_study(write(tmp_path, GOOD.replace(*change, 1)))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_study_names_the_known_ones(tmp_path):
    near = r"\(did you mean 'batch-norm'\?\)"
    with pytest.raises(StudyError, match=rf"unknown study 'batchnorm' {near}; known: published-search, .*batch-norm"):
        find_study("batchnorm")
    with pytest.raises(StudyError, match=r"cannot read the study .*none.toml: No such file"):
        find_study(str(tmp_path / "none.toml"))
