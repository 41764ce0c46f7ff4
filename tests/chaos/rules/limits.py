"""Limits of containers: memory, time of the cores, processes and disks, as files of control groups state them."""

import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from rules.datasets import COMMAND
from rules.pictures import parts
from rules.rule import DIGITS, Done, Place, Rule, both, shell

DOCTOR = ("doctor", "--json", "--data-dir", "data")
SEARCH = ("launch", *DIGITS, "--space", "small:space", "--samples", "2", "--epochs", "1", "--name", "new")
NEW = ("results/new", "results/new/*")
#: Files of a container's control groups, and what is said of them.
STATED: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "half a core": ({"cpu.max": "50000 100000"}, ("with the time of 0.5; 1 trial at a time",)),
    "one core": ({"cpu.max": "100000 100000"}, ("with the time of 1; 1 trial at a time",)),
    "one core, version 1": (
        {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"},
        ("with the time of 1; 1 trial at a time",),
    ),
    "no limit on cores": ({"cpu.max": "max 100000"}, ("cores: ",)),
    "no limit on cores, version 1": ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, ("cores: ",)),
    "1.5 GB of memory": ({"memory.max": "1500000000", "memory.current": "100000000"}, ("1.4 GB free of 1.5 GB",)),
    "1.5 GB of memory, version 1": (
        {"memory/memory.limit_in_bytes": "1500000000", "memory/memory.usage_in_bytes": "100000000"},
        ("1.4 GB free of 1.5 GB",),
    ),
    "more memory than there is, version 1": ({"memory/memory.limit_in_bytes": str(2**63 - 4096)}, ("memory: ",)),
    "512 processes": ({"pids.max": "512"}, ("512 processes warning", "--pids-limit")),
    "any number of processes": ({"pids.max": "max"}, ("any number of processes",)),
}


def container(**files: str) -> Callable[[Place], None]:
    """The command in a container whose control groups state this; what they state is not enforced.

    files: by their names below /sys/fs/cgroup; a part of the name before a slash is a controller of version 1.
    """

    def breaks(place: Place) -> None:
        folder = place.home.parent / "cgroup"
        place.stack.callback(lambda: os.system(f"rm -r {folder}"))
        controllers = {name.partition("/")[0] for name in files if "/" in name}
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"{content}\n")
        lines = "".join(f"{number}:{each}:/\n" for number, each in enumerate(sorted(controllers), 1)) + "0::/\n"
        (folder / "self").write_text(lines)
        mounts = f"mount --bind {folder} /sys/fs/cgroup && mount --bind {folder}/self /proc/$$/cgroup"
        place.prefix = ("unshare", "--mount", "bash", "-c", f'{mounts} && exec "$@"', "bash")

    return breaks


def stated(shown: str, files: dict[str, str], says: tuple[str, ...]) -> Rule:
    """What doctor reads of a container's limits."""

    def after(_: Place, done: Done) -> Iterable[str]:
        rows = json.loads(done.out)
        text = " | ".join(f"{row['check']}: {row['found']} {row['verdict']} {row['advice']}" for row in rows)
        yield from (f"doctor does not say {part!r}" for part in says if part not in text)

    return Rule(
        rule=f"doctor reads {shown}",
        input=", ".join(f"{name}: {content}" for name, content in files.items()),
        command=DOCTOR,
        breaks=container(**files),
        code=(0, 1),
        lines=0,
        after=after,
        needs_root=True,
    )


def slots(rule: str, shown: str, breaks: Callable[[Place], None], expected: int, **more: Any) -> Rule:
    """A search whose trials at a time follow a limit."""

    def after(place: Place, done: Done) -> Iterable[str]:
        if done.code == 0:
            found = json.loads((place.search("new") / "search.json").read_text())
            if (found["slots"], found["threads"]) != (expected, 1):
                yield f"{found['slots']} slots of {found['threads']} threads, not {expected} of one"

    options = {"code": 0, "lines": None, "may_change": NEW, "after": after} | more
    return Rule(rule=rule, input=shown, command=SEARCH, breaks=breaks, **options)


def one_core(place: Place) -> None:
    """A process that may run on one core."""
    place.prefix = ("taskset", "--cpu-list", str(min(os.sched_getaffinity(0))))


def little_disk(folder: str, size: str, variable: str = "") -> Callable[[Place], None]:
    """A folder of the home on a small file system of its own, which a variable may name."""

    def breaks(place: Place) -> None:
        (place.home / folder).mkdir()
        if variable:
            place.environment[variable] = str(place.home / folder)
        mount = f"mount -t tmpfs -o size={size} tmpfs {place.home / folder}"
        place.prefix = ("unshare", "--mount", "bash", "-c", f'{mount} && exec "$@"', "bash")

    return breaks


def in_little_memory(place: Place) -> None:
    """1,000,000 pixels a picture are asked for, in a container of 50 MB."""
    both(parts(train=40, test=2), container(**{"memory.max": "50000000", "memory.current": "1000000"}))(place)


RULES = [
    *(stated(shown, *files) for shown, files in STATED.items()),
    slots(
        "trials at a time follow the time of the cores",
        "cpu.max: 100000",
        container(**{"cpu.max": "100000 100000"}),
        1,
        needs_root=True,
    ),
    slots("trials at a time follow the cores that a process may use", "taskset", one_core, 1),
    Rule(
        rule="images fit a container's memory",
        input="80 MB in 50 MB",
        command=(*COMMAND, "--image-size", "1000"),
        breaks=in_little_memory,
        says=("images are held in memory", "--image-size"),
        needs_root=True,
    ),
    Rule(
        rule="a cache's folder without room is said",
        input="100 KB for 368 KB",
        command=("launch", "--dataset", "digits", "--data-dir", "small", "--space", "small:space", "--name", "new"),
        breaks=little_disk("small", "100k"),
        says=("the cache folder", "room for the images"),
        may_change=("small", "small/*"),
        needs_root=True,
    ),
    Rule(
        rule="a results folder without room is said",
        input="4 KB",
        command=(*SEARCH, "--results", "small", "--engine", "inline"),
        breaks=little_disk("small", "4k"),
        code=(1, 2),
        lines=None,
        says=("No space left",),
        may_change=("small", "small/*"),
        needs_root=True,
    ),
    Rule(
        rule="a folder for Ray's files without room is said",
        input="1 MB",
        command=SEARCH,
        breaks=little_disk("r", "1m", "RAY_TMPDIR"),
        code=1,
        lines=None,
        says=("Ray's files", "make room"),
        may_change=("r", "r/*", "results/new", "results/new/*"),
        needs_root=True,
    ),
    Rule(
        rule="a file that may not grow leaves no half of a cache",
        input="ulimit -f 100",
        command=("launch", "--dataset", "digits", "--data-dir", "mine", "--space", "small:space", "--name", "new"),
        breaks=shell('ulimit -f 100; exec "$@"'),
        says=("the cache folder", "room for the images"),
        may_change=("mine", "mine/cache", "mine/cache/.lock"),
    ),
]


def rules() -> list[Rule]:
    """The group's rules."""
    if sys.platform != "linux":
        return []
    return [replace(rule, group="limits", starts_anew=True) for rule in RULES]
