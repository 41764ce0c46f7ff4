import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from search.history import columns, tables
from search.history.events import State
from search.history.hyperparameters import hyperparameter_columns, hyperparameters_of
from tests.search import events
from tests.search.events import measured, record

CONFIG = {**events.CONFIG, "network": {"name": "cnn5", "width": 0.5, "head_widths": [64, 32]}}
MEASURED = measured(10, 0.5, val_loss=1.0, seconds=2.0, time=3.0)

#: The tables of 0.1.0. A later column may stand between them, but their order and types stay as they are.
TRIALS = {
    **{"trial": "int64", "state": "string", "reason": "string", "network": "string", "optimizer": "string"},
    **dict.fromkeys(("parameters", "flops", "batch_size", "micro_batch", "max_epochs"), "int64"),
    **dict.fromkeys(("lr", "weight_decay", "beta1", "beta2", "alpha", "momentum", "dampening"), "double"),
    **dict.fromkeys(("initial_accumulator_value", "lr_decay", "label_smoothing", "width"), "double"),
    **dict.fromkeys(("conv_dropout", "head_dropout"), "double"),
    **dict.fromkeys(("activation", "pool", "norm", "head_widths", "schedule", "augment"), "string"),
    **dict.fromkeys(("epoch", "best_epoch", "best_val_accuracy", "best_val_loss"), "double"),
    **dict.fromkeys(("val_accuracy", "val_loss", "train_accuracy", "train_loss"), "double"),
    **{"images": "int64", "seconds": "double", "images_per_second": "double"},
    **{"attempt": "int64", "redrawn": "int64", "seed": "int64", "config": "string"},
}
EPOCHS = {
    **{"trial": "int64", "repeat": "int64", "epoch": "double", "images": "int64"},
    **dict.fromkeys(("train_loss", "train_accuracy", "val_loss", "val_accuracy"), "double"),
    **{"learning_rate": "double", "images_per_second": "double", "seconds": "double", "decision": "string"},
    **{"attempt": "int64", "host": "string", "pid": "int64", "time": "timestamp[ms, tz=UTC]"},
}


def run(trial, measurements=(), state=State.DONE, network=CONFIG["network"]):
    return events.run(trial, measurements, state, config={**CONFIG, "network": network})


def test_columns_of_0_1_0_keep_their_order_and_types(tmp_path):
    tables.write(tmp_path, record())
    for name, expected in (("trials", TRIALS), ("epochs", EPOCHS)):
        found = {field.name: str(field.type) for field in pq.read_schema(tmp_path / f"{name}.parquet")}
        assert [(column, type_) for column, type_ in found.items() if column in expected] == list(expected.items())


def test_every_column_has_a_name_of_its_own_and_says_what_it_holds():
    for table in (columns.TRIALS, columns.EPOCHS):
        names = [column.name for column in table]
        assert len(set(names)) == len(names)
        assert all(column.meaning.endswith(".") for column in table)


def test_tables_are_typed_also_where_a_value_is_missing(tmp_path):
    found = record(run(0, [MEASURED]), run(1, state=State.WAITING), run(2, [MEASURED], state=State.RUNNING))
    tables.write(tmp_path, found)
    frame = pd.read_parquet(tmp_path / "trials.parquet")
    assert frame.trial.dtype == np.int64
    assert frame.best_val_accuracy.dtype == np.float64
    assert frame.state.tolist() == ["done", "waiting", "interrupted"]
    assert frame.momentum.tolist() == [0.2] * 3
    assert list(tables.epochs(record()).columns) == [column.name for column in columns.EPOCHS]
    assert tables.trials(found, running=True).state.tolist() == ["done", "waiting", "running"]


def test_hyperparameters_come_from_the_registries_of_optimizers_training_and_families():
    found = hyperparameter_columns()
    assert {name: found[name] for name in ("momentum", "label_smoothing", "width")} == dict.fromkeys(
        ("momentum", "label_smoothing", "width"), True
    )
    assert not found["schedule"]
    assert not found["head_widths"]


def test_a_list_is_json_in_its_column():
    assert hyperparameters_of(CONFIG)["head_widths"] == "[64, 32]"


def test_a_transform_that_was_not_in_effect_is_no_hyperparameter():
    drawn = {"batch_size": 32, "epochs": 16, "cutout": 8, "cutmix": 0.5, "mixing_from": 40}
    short = hyperparameters_of({**CONFIG, "training": drawn})
    assert (short["cutout"], "cutmix" in short, short["mixing_from"]) == (8, False, 40)
    assert hyperparameters_of({**CONFIG, "training": drawn | {"epochs": 40}})["cutmix"] == 0.5


def test_hyperparameters_of_a_users_network_stay_in_its_configuration():
    own = run(0, network={"name": "own:network", "width": "wide", "norm": 5})
    (row,) = tables.trials(record(own), running=False).to_dict("records")
    assert np.isnan(row["width"])
    assert '"width": "wide"' in row["config"]
