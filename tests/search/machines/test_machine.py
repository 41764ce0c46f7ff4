"""The machine at hand; its GPUs are made up."""

from types import SimpleNamespace

import pytest

from search.machines import gpus as known
from search.machines import machine
from tests.search.machines.files import write
from trainables import limits


@pytest.fixture(autouse=True)
def machine_without_limits(tmp_path, monkeypatch):
    """A /proc and a /sys/fs/cgroup to write files into, of a machine with 64 GB."""
    monkeypatch.setattr(limits, "PROC", tmp_path / "proc")
    monkeypatch.setattr(limits, "CGROUPS", tmp_path / "cgroup")
    write(tmp_path / "proc/meminfo", "MemTotal: 64000000 kB\nMemAvailable: 60000000 kB\n")
    write(tmp_path / "proc/self/cgroup", "0::/\n")


@pytest.fixture
def gpus(monkeypatch):
    """A function that gives this machine so many GPUs with so many GB, and cores."""

    def give(count, memory, cores):
        monkeypatch.setattr(known, "DRIVERS", ["/"] if count else [])
        monkeypatch.setattr("torch.cuda.device_count", lambda: count)
        properties = SimpleNamespace(total_memory=memory * 1e9)
        monkeypatch.setattr("torch.cuda.get_device_properties", lambda device: properties)
        monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (9, 0))
        monkeypatch.setattr(limits, "usable_cores", lambda: cores)

    return give


@pytest.mark.parametrize(
    ("count", "memory", "cores", "slots"),
    [
        (0, 0, 6, 6),
        (1, 80, 64, 8),  # as many as share a GPU
        (1, 80, 6, 6),  # as there are cores
        (1, 8, 16, 4),  # as its memory has room for
        (1, 1, 16, 1),  # one, whatever there is
        (4, 80, 128, 32),
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


def test_a_driver_that_is_too_old_is_one_line(gpus, monkeypatch):
    def too_old(_):
        raise RuntimeError("The NVIDIA driver on your system is too old\n(found version 12020).")

    gpus(1, 80, 16)
    monkeypatch.setattr("torch.cuda.get_device_properties", too_old)
    with pytest.raises(
        machine.MachineError, match="cannot use the GPUs of this machine .*too old.*: update their driver"
    ) as error:
        machine.find(None)
    assert "\n" not in str(error.value)


def test_threads_and_precision_are_those_that_were_asked_for_or_began_the_search(gpus):
    gpus(0, 0, 8)
    for precision in ("float32", "bfloat16"):
        here = machine.find(None, {"threads": 4, "precision": precision})
        assert (here.slots, here.threads, here.precision) == (2, 4, precision)


def test_more_slots_than_a_gpu_has_memory_for_are_refused_and_fewer_are_resumed(gpus):
    gpus(1, 12, 16)
    assert machine.find(12).slots == 12
    with pytest.raises(machine.MachineError, match=r"--parallel 13 is too much for a GPU of 12 GB.* at most 12 fit"):
        machine.find(13)
    assert machine.find(None, {"slots": 16}).slots == 12


def test_slots_that_are_asked_for_or_were_there_before_stay(gpus):
    gpus(1, 16, 16)
    assert machine.find(7).slots == 7
    assert machine.find(None, {"slots": 9}).slots == 9


@pytest.mark.parametrize(
    ("here", "facts", "slots"),
    [
        ((0, 0, 8), {"slots": 64, "room": 64, "machine": {"usable_cores": 8, "gpus": []}}, 8),  # of a cluster
        ((0, 0, 8), {"slots": 0, "room": 0, "machine": {"usable_cores": 8, "gpus": []}}, 8),  # it had no slots yet
        ((1, 12, 16), {"slots": 8, "room": 8, "machine": {"usable_cores": 16, "gpus": ["of 80 GB"]}}, 6),
        ((1, 12, 16), {"slots": 8, "machine": {"usable_cores": 16, "gpus": ["of 80 GB"]}}, 6),
        ((1, 80, 16), {"slots": 16, "room": 16, "machine": {"usable_cores": 16, "gpus": []}}, 8),  # cores only
        ((1, 80, 16), {"slots": 16, "machine": {"usable_cores": 16, "gpus": []}}, 8),
        ((0, 0, 100), {"slots": 100, "room": 100, "machine": {"usable_cores": 100, "gpus": []}}, 60),  # more memory
        ((0, 0, 100), {"slots": 90, "room": 60, "machine": {"usable_cores": 100, "gpus": []}}, 90),  # asked for there
        ((0, 0, 8), {"slots": 2, "room": 64}, 2),  # it fits
    ],
)
def test_a_resume_where_less_fits_than_at_the_launch_takes_what_fits(gpus, here, facts, slots):
    gpus(*here)
    assert machine.find(None, facts).slots == slots


def test_each_gpu_has_a_slot_however_little_memory_the_machine_has(gpus, tmp_path):
    gpus(4, 80, 8)
    write(tmp_path / "cgroup/memory.max", "3000000000\n")
    assert machine.find(None).slots == 4


def test_what_fits_is_known_whatever_is_asked_for(gpus):
    gpus(1, 12, 16)
    assert (machine.find(None).room, machine.find(3).room, machine.find(9).room) == (6, 6, 6)


@pytest.mark.parametrize(
    ("cpu", "memory", "slots"),
    [
        ("max 100000", "max", 8),
        ("400000 100000", "max", 4),
        ("150000 100000", "max", 1),
        ("20000 100000", "max", 1),
        ("max 100000", "4000000000", 2),  # memory has room for two
        ("600000 100000", "4000000000", 2),
        ("max 100000", "500000000", 1),
    ],
)
def test_slots_follow_a_containers_limits_and_have_one_thread_each(gpus, tmp_path, cpu, memory, slots):
    write(tmp_path / "cgroup/cpu.max", f"{cpu}\n")
    write(tmp_path / "cgroup/memory.max", f"{memory}\n")
    for num_gpus in (0, 1):
        gpus(num_gpus, 80, 8)
        here = machine.find(None)
        assert (here.slots, here.threads, here.num_gpus) == (slots, 1, num_gpus)
        assert machine.find(6).slots == 6, "what is asked for is given"


@pytest.mark.parametrize(
    ("cores", "threads", "slots"),
    [
        (8, 1, 6),  # as many cores as there were: what was asked for stays
        (4, 1, 4),
        (4, 2, 2),
        (1, 1, 1),
        (1, 4, 1),  # threads stay, for the same sums
    ],
)
def test_a_resume_on_fewer_cores_takes_what_fits(gpus, cores, threads, slots):
    gpus(0, 0, cores)
    facts = {"slots": 6, "threads": threads, "machine": {"cores": 64, "usable_cores": 8, "gpus": []}}
    here = machine.find(None, facts)
    assert (here.slots, here.threads) == (slots, threads)
    assert machine.find(5, facts).slots == 5, "what is asked for is given"


def test_a_resume_on_fewer_gpus_takes_what_fits(gpus):
    gpus(1, 80, 64)
    facts = {"slots": 32, "threads": 1, "machine": {"cores": 64, "gpus": ["one", "two"]}}
    assert machine.find(None, facts).slots == 8
    gpus(2, 80, 64)
    assert machine.find(None, facts).slots == 32
