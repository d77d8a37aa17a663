"""TensorBoard: a folder of event files for each trial, its parameters in the HParams tab."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

import ganbench

from . import content


class TensorBoard:
    """Event files in `folder/<name of the results folder>/<trial>`."""

    def __init__(self, folder: Path, started: ganbench.RunStarted) -> None:
        self._folder = folder / Path(started.output).resolve().name

    def open(self, trial: ganbench.Trial) -> _Record:
        return _Record(self._folder / trial.id, trial)


class _Record:
    def __init__(self, folder: Path, trial: ganbench.Trial) -> None:
        for earlier in folder.glob("events.out.tfevents.*"):  # an earlier attempt at this trial
            earlier.unlink()
        self._writer = EventFileWriter(str(folder))
        # Makes a running TensorBoard drop what it read of the earlier attempt.
        self._write(session_log=SessionLog(status=SessionLog.START), step=0)
        start = plugin_data_pb2.SessionStartInfo(start_time_secs=time.time())
        for name, value in content.flatten(content.parameters(trial)).items():
            _set(start.hparams[name], value)
        self._write_session(metadata.SESSION_START_INFO_TAG, session_start_info=start)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(summary=Summary(value=scalars), step=step)

    def end(self, result: ganbench.TrialResult) -> None:
        self._write(summary=text_pb("outcome", content.summary(result)), step=result.steps)
        self._close(api_pb2.STATUS_FAILURE if result.status.is_fault else api_pb2.STATUS_SUCCESS)

    def interrupt(self) -> None:
        self._write(summary=text_pb("outcome", "**interrupted**"), step=0)
        self._close(api_pb2.STATUS_FAILURE)

    def _close(self, status: int) -> None:
        end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
        self._write_session(metadata.SESSION_END_INFO_TAG, session_end_info=end)
        self._writer.close()

    def _write_session(self, tag: str, **info: object) -> None:
        described = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(**info))
        value = Summary.Value(tag=tag, metadata=described, tensor=metadata.NULL_TENSOR)
        self._write(summary=Summary(value=[value]), step=0)

    def _write(self, **fields: object) -> None:
        self._writer.add_event(Event(wall_time=time.time(), **fields))
        self._writer.flush()  # so that a killed run loses no more than the row it was writing


def _set(hparam: Any, value: bool | int | float | str) -> None:
    """Set a protobuf value; the HParams tab shows text, booleans and finite numbers."""
    if isinstance(value, bool):
        hparam.bool_value = value
    elif isinstance(value, int | float) and math.isfinite(value):
        hparam.number_value = value
    else:
        hparam.string_value = str(value)
