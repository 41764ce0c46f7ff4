"""The parameters of a space, and when each is drawn."""

from search.spaces import find_space
from search.spaces.parameters import parameters


def test_conditions_are_found_by_drawing():
    found = {p.name: p for p in parameters(find_space("cnn_all").function)}
    assert found["cnn6/width"].conditions == (("network", ("cnn6",)),)
    assert found["sgd/lr"].conditions == (("optimizer", ("sgd",)),)
    assert found["batch_size"].conditions == ()


def test_a_users_own_space_is_found_and_explored(tmp_path, monkeypatch):
    (tmp_path / "myspace.py").write_text(
        "from search.spaces import config_of\n"
        "def small(trial):\n"
        "    trial.suggest_categorical('network', ('cnn5',))\n"
        "    if trial.suggest_categorical('optimizer', ('sgd', 'adam')) == 'sgd':\n"
        "        trial.suggest_float('sgd/lr', 0.01, 0.1, log=True)\n"
        "    else:\n"
        "        trial.suggest_float('adam/lr', 0.001, 0.01)\n"
        "    trial.suggest_int('batch_size', 16, 64, step=16)\n"
        "    return config_of(trial.params)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = {p.name: p for p in parameters(find_space("myspace:small").function)}
    assert found["sgd/lr"].conditions == (("optimizer", ("sgd",)),)
    assert found["batch_size"].conditions == ()
