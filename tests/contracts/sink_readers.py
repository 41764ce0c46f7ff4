"""What each sink has written, as its own tool reads it."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
from mlflow import MlflowClient
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData
from wandb.proto import wandb_internal_pb2

from search.history.events import FINAL

#: What a sink's output says: of each trial its end, if it has one, and its curve by images. A trial that is there
#: twice fails the reader.
Contents = dict[int, tuple[str | None, dict[int, float]]]


def read_tensorboard(folder: Path, search: str, tag: str = "val_accuracy") -> Contents:
    """As TensorBoard reads it: a start at a step makes it forget what it read of that step and later ones."""
    found: Contents = {}
    for run in folder.glob("trial-*[0-9]"):
        if "retrain" in run.name:
            continue
        curve: dict[int, float] = {}
        end = None
        for event in (event for file in sorted(run.glob("events*")) for event in events_in(file)):
            if event.HasField("session_log"):
                curve, end = {}, None
            for value in event.summary.value:
                if value.tag == tag:
                    assert event.step not in curve
                    curve[event.step] = value.simple_value
                if value.tag == "_hparams_/session_start_info":
                    assert end is None
                    data = HParamsPluginData.FromString(value.metadata.plugin_data.content)
                    end = data.session_start_info.hparams["state"].string_value
        found[int(run.name.removeprefix("trial-"))] = (end, curve)
    return found


def events_in(file: Path) -> list[Event]:
    """The events of a file of length-prefixed records, up to a torn end."""
    data, at, found = file.read_bytes(), 0, []
    while at + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        if at + 12 + length + 4 > len(data):
            break
        found.append(Event.FromString(data[at + 12 : at + 12 + length]))
        at += 12 + length + 4
    return found


def read_optuna(folder: Path, search: str) -> Contents:
    """As optuna-dashboard reads it."""
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    study = optuna.load_study(study_name=search, storage=storage)
    numbers = [trial.user_attrs["trial"] for trial in study.trials]
    assert len(set(numbers)) == len(numbers)
    return {t.user_attrs["trial"]: (t.user_attrs.get("state"), t.intermediate_values) for t in study.trials}


def read_mlflow(folder: Path, search: str) -> Contents:
    """As MLflow's page reads its database."""
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    found: Contents = {}
    for run in client.search_runs([client.get_experiment_by_name(search).experiment_id]):
        curve: dict[int, float] = {}
        for metric in client.get_metric_history(run.info.run_id, "val_accuracy"):
            assert metric.step not in curve
            curve[metric.step] = metric.value
        trial, state = int(run.data.tags["hpsearch.run"]), run.data.tags["state"]
        assert trial not in found
        has_ended = state in (*FINAL, "not continued")
        assert has_ended == (run.info.status != "RUNNING")
        found[trial] = (state if has_ended else None, curve)
    return found


def read_wandb(folder: Path, search: str) -> Contents:
    """As `wandb sync` reads the files of offline runs."""
    found: Contents = {}
    for file in folder.glob("wandb/offline-run-*/*.wandb"):
        trial, end, curve = None, None, {}
        for record in map(wandb_internal_pb2.Record.FromString, records_in(file)):
            if record.HasField("run"):
                assert record.run.run_group == search
                trial = int(record.run.display_name.removeprefix("trial-"))
                (end,) = record.run.tags or (end,)
            if record.HasField("history"):
                row = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
                assert row["_step"] not in curve
                curve[row["_step"]] = row["val_accuracy"]
        if trial is not None:
            assert trial not in found
            found[trial] = (end, curve)
    return found


def records_in(file: Path) -> Iterator[bytes]:
    """The records of a file of 32 KiB blocks with checksums, as of LevelDB's log, up to a torn end."""
    data, at, begun = file.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        begun += data[at + 7 : at + 7 + length]
        at += 7 + length
        if at <= len(data) and kind in (1, 4):  # whole, or its last part
            yield begun
            begun = b""


READERS: dict[str, Callable[[Path, str], Contents]] = {
    "tensorboard": read_tensorboard,
    "optuna": read_optuna,
    "mlflow": read_mlflow,
    "wandb": read_wandb,
}
