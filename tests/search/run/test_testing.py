"""Where test images lie during a test pass. The GPU here is "meta", a device that has shapes and no values."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from search.history.events import State
from search.history.record import Record, Run
from search.history.store import Search
from search.run.testing import test_all as run_tests
from tests.search import events
from tests.search.run import searches
from trainables.resident import Resident


@pytest.mark.parametrize(("memory", "where"), [(10**9, "meta"), (300_000, "cpu")])
def test_test_images_stay_on_the_host_if_they_would_fill_the_gpu(tmp_path, monkeypatch, memory, where):
    """Those of the digits are 92 kB, more than a quarter of the smaller memory."""
    placed, written, of = [], [], Resident.of
    monkeypatch.setattr(Resident, "of", lambda *args, **more: placed.append(of(*args, **more)) or placed[-1])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=memory))
    search = Search(folder=tmp_path, request=searches.listed(tmp_path, []), created=0.0, facts={})
    driver = SimpleNamespace(superseded=None, append=written.append, record=Record())
    run = Run(events.asked(0, 1), state=State.DONE)
    run_tests(driver, search, [run], replace(searches.HERE, device="meta"), searches.Silent())
    assert [type(event).__name__ for event in written] == ["Ended"], "its network is not there"
    (images,) = placed
    assert (images.pixels.device.type, images.labels.device.type) == (where, "meta")
