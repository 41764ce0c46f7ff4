"""TensorBoard: a folder of events for each run, with its curves and, once it has ended, its row in the HParams tab."""

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorboardX.proto.api_pb2 import Status
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboardX.record_writer import masked_crc32c

from search.follow import run_values
from search.history.events import FINAL
from search.history.record import Key, Run
from search.history.store import Search


def make(folder: Path, search: Search) -> "TensorBoardSink":
    """The sink on a folder."""
    return TensorBoardSink(folder)


class TensorBoardSink:
    """Steps are training images. The state of a run that has ended is a hyperparameter, so that it can be filtered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[Key, _Written] = {}
        self.viewer = f"tensorboard --logdir {folder}"

    @property
    def runs(self) -> int:
        """How many runs are written."""
        return len(self._written)

    def start(self, runs: Sequence[Run]) -> None:
        """Remove what an earlier sink has left, and write these runs."""
        for folder in self._folder.glob("trial-*"):
            _clear(folder)
            folder.rmdir()
        self._written = {}
        self.update(runs)

    def update(self, runs: Sequence[Run]) -> None:
        """Add to the runs' files; a run whose past has changed, as after a retry, is written again."""
        for run in runs:
            written = self._written.get(run.key)
            if written is None or not written.is_past_of(run):
                written = self._written[run.key] = self._begin(run)
            written.add(run)

    def close(self) -> None:
        """Nothing is left open."""

    def _begin(self, run: Run) -> "_Written":
        folder = self._folder / run_values.name(run)
        folder.mkdir(exist_ok=True)
        _clear(folder)
        # A new name each time, so that a TensorBoard that has read an earlier file takes this one for another file.
        now = time.time_ns()
        written = _Written(folder / f"events.out.tfevents.{now // 10**9}.{now}")
        # The start at step 0 makes it discard what it has read of this run before.
        start = SessionLog(status=SessionLog.START)
        written.append(
            Event(wall_time=now / 1e9, file_version="brain.Event:2"), Event(wall_time=now / 1e9, session_log=start)
        )
        return written


@dataclass
class _Written:
    """What a run's file holds."""

    file: Path
    """The file, which is closed between updates, as there may be more runs than a process may open files."""
    measured: list[tuple[int, int]] = field(default_factory=list)
    """The attempt and the images of each measurement."""
    end: tuple[Any, ...] | None = None
    """How the run ended, once its final values are written."""

    def is_past_of(self, run: Run) -> bool:
        """Whether all of this still agrees with the run."""
        measured = run_values.past(run)
        if self.end is not None:
            return (self.measured, self.end) == (measured, run_values.end(run))
        return self.measured == measured[: len(self.measured)]

    def add(self, run: Run) -> None:
        """Write what is new of the run."""
        for measurement in run.measurements[len(self.measured) :]:
            self.append(_scalars(measurement, run_values.curves(measurement)))
        self.measured = run_values.past(run)
        if self.end is None and run.state in FINAL:
            self.append(*_last_words(run))
            self.end = run_values.end(run)

    def append(self, *events: Event) -> None:
        """Write events in the format of TFRecord: length and data, each with its checksum."""
        records = bytearray()
        for event in events:
            data = event.SerializeToString()
            length = struct.pack("<Q", len(data))
            for part in (length, data):
                records += part + struct.pack("<I", masked_crc32c(part))
        with self.file.open("ab") as file:
            file.write(records)


def _last_words(run: Run) -> list[Event]:
    """The final values of a run that has ended, and its row in the HParams tab."""
    last = run.measurements[-1] if run.measurements else run.asked
    finals = {f"final/{name}": value for name, value in run_values.finals(run).items()}
    for name in ("val_accuracy", "val_balanced_accuracy"):
        if (value := getattr(last, name, None)) is not None:
            finals[f"final/{name}"] = value
    start = SessionStartInfo(start_time_secs=run.asked.time)
    for name, parameter in {"state": run_values.state(run), **run_values.hyperparameters(run)}.items():
        if isinstance(parameter, str):
            start.hparams[name].string_value = parameter
        elif parameter is not None:
            start.hparams[name].number_value = parameter
    status = Status.STATUS_SUCCESS if run_values.is_well(run) else Status.STATUS_FAILURE
    end = SessionEndInfo(status=status, end_time_secs=run_values.last_time(run))
    parts = ({"session_start_info": start}, {"session_end_info": end})
    return [_scalars(last, finals), *(_plugin_data(last, part) for part in parts)]


def _clear(folder: Path) -> None:
    for file in folder.glob("events.out.tfevents.*"):
        file.unlink()


def _scalars(at: Any, values: dict[str, float]) -> Event:
    """Values at the time and the images of an event."""
    summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
    return Event(wall_time=at.time, step=getattr(at, "images", 0), summary=summary)


def _plugin_data(at: Any, part: dict[str, Any]) -> Event:
    """A part of a run's row in the HParams tab."""
    (kind,) = part
    content = HParamsPluginData(version=0, **part).SerializeToString()
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="hparams", content=content))
    value = Summary.Value(tag=f"_hparams_/{kind}", metadata=metadata)
    return Event(wall_time=at.time, summary=Summary(value=[value]))
