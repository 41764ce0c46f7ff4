"""The machine at hand; its GPUs are made up."""

from types import SimpleNamespace

import pytest

from search.machines import machine


@pytest.fixture
def gpus(monkeypatch):
    """A function that gives this machine so many GPUs with so many GB, and cores."""

    def give(count, memory, cores):
        monkeypatch.setattr("torch.cuda.device_count", lambda: count)
        properties = SimpleNamespace(total_memory=memory * 1e9)
        monkeypatch.setattr("torch.cuda.get_device_properties", lambda device: properties)
        monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (9, 0))
        monkeypatch.setattr("os.sched_getaffinity", lambda process: range(cores))

    return give


@pytest.mark.parametrize(
    ("count", "memory", "cores", "slots"),
    [
        (0, 0, 6, 6),
        (1, 80, 64, 16),  # as many as share a GPU
        (1, 80, 6, 6),  # as there are cores
        (1, 8, 16, 4),  # as its memory has room for
        (1, 1, 16, 1),  # one, whatever there is
        (4, 80, 128, 64),
        (4, 80, 2, 4),
    ],
)
def test_slots_by_default(gpus, count, memory, cores, slots):
    gpus(count, memory, cores)
    here = machine.find(None)
    assert (here.slots, here.num_gpus, here.device) == (slots, count, "cuda" if count else "cpu")
    assert (
        machine.slots_per_gpu(here) * count in range(slots, slots + count) if count else not machine.slots_per_gpu(here)
    )


def test_slots_that_are_asked_for_or_were_there_before_stay(gpus):
    gpus(1, 8, 16)
    assert machine.find(7).slots == 7
    assert machine.find(None, {"slots": 9}).slots == 9
