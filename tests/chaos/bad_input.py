"""Breaks every rule of the product that bad input can break, each once, and records what comes of it.

    python tests/chaos/bad_input.py --seed 1 --out results/evidence/bad-input.csv
    python tests/chaos/bad_input.py --only ledgers "taken: "

A rule is an entry in a list of tests/chaos/rules. Each is broken in a fresh folder that holds finished searches and an
interrupted one, with a process of its own and a limit of time. The promise: the right exit code, one line on standard
error or the right record, no traceback, no hang, and nothing lost or left behind. Exit code 1 when it was broken.
"""

import argparse
import contextlib
import csv
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rules import (
    archives,
    checkpoints,
    choices,
    command_line,
    datasets,
    early,
    endings,
    generated,
    ledgers,
    limits,
    moved,
    names,
    own_code,
    packed,
    pixels,
    requests,
    spaces,
    studies,
    surroundings,
    taken,
    understood,
    weights,
)
from rules.rule import Rule
from workplace import Workplace

GROUPS = (
    *(command_line, spaces, own_code, requests, ledgers, checkpoints, weights, datasets, archives, generated),
    *(taken, understood, pixels, surroundings, limits, moved, names, early, endings, packed, choices, studies),
)
COLUMNS = ("group", "rule", "input", "exit_code", "message", "lost_records", "seconds", "outcome")


def main() -> None:
    """Break the rules and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[""], help="rules or groups that contain one of these texts")
    parser.add_argument("--out", type=Path, help="a CSV file for the table; rows of rules that are not broken now stay")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="rules at a time")
    parser.add_argument("--cold", action="store_true", help="start the installed command for each rule, fork none")
    options = parser.parse_args()
    began = time.monotonic()
    chosen = [rule for rule in all_rules() if any(text in f"{rule.group}: {rule.rule}" for text in options.only)]
    rules = [rule for rule in chosen if os.geteuid() == 0 or not rule.needs_root]
    if len(rules) < len(chosen):
        print(f"{len(chosen) - len(rules)} rules are left out, as root alone can break them")
    rows: list[dict[str, object]] = []
    for row in rows_of(rules, options.seed, options.jobs, cold=options.cold):
        rows.append(row)
        if options.out:
            keep(rows, options.out)
        print(f"{row['outcome']:5} {row['seconds']:>6} s  {row['group']}: {row['rule']}", flush=True)
        if row["outcome"] != "kept":
            print(f"      {row['message']}", flush=True)
    print(f"\n{summary(rows)}\n")
    broken = [row for row in rows if row["outcome"] != "kept"]
    minutes = (time.monotonic() - began) / 60
    print(f"seed {options.seed}: {len(rows) - len(broken)} of {len(rows)} promises held, in {minutes:.0f} min")
    sys.exit(1 if broken else 0)


def rows_of(rules: Sequence[Rule], seed: int, jobs: int, *, cold: bool) -> Iterator[dict[str, object]]:
    """Break the rules, some at a time, each of them in a workplace that only one uses; the rows as they come."""
    waiting, rows, ended = iter(rules), [], threading.Condition()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with contextlib.ExitStack() as stack:
                workplace = Workplace(stack, cold=cold)
                workplace.make_template()
                while not errors:
                    with ended:
                        rule = next(waiting, None)
                    if rule is None:
                        return
                    row = workplace.run(rule, seed)
                    with ended:
                        rows.append(row)
                        ended.notify()
        except BaseException as error:  # shown by the main thread
            errors.append(error)

    workers = [threading.Thread(target=work) for _ in range(min(jobs, len(rules)))]
    for worker in workers:
        worker.start()
    taken = 0
    while taken < len(rows) or any(worker.is_alive() for worker in workers):
        with ended:
            if taken == len(rows):
                ended.wait(timeout=0.5)
            new = rows[taken:]
        taken += len(new)
        yield from new
    if errors:
        raise errors[0]


def summary(rows: Sequence[dict[str, object]]) -> str:
    """A row a group, in Markdown."""
    lines = [
        "| rules of | broken | exit code 2 | 1 | 0 | others | promises kept | records lost |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for group in dict.fromkeys(rule.group for rule in all_rules()):
        if mine := [row for row in rows if row["group"] == group]:
            codes = [sum(row["exit_code"] == code for row in mine) for code in (2, 1, 0)]
            kept = sum(row["outcome"] == "kept" for row in mine)
            lost = sum(int(str(row["lost_records"])) for row in mine)
            figures = (len(mine), *codes, len(mine) - sum(codes), kept, lost)
            lines.append(f"| {group} | {' | '.join(map(str, figures))} |")
    return "\n".join(lines)


def keep(rows: Sequence[dict[str, object]], path: Path) -> None:
    """Write what is known so far, in the order of the rules; a rule that was not broken now keeps its older row."""
    known = {}
    if path.exists():
        with path.open(newline="") as file:
            known = {(row["group"], row["rule"]): row for row in csv.DictReader(file)}
    known |= {(row["group"], row["rule"]): row for row in rows}
    with path.open("w", newline="", errors="backslashreplace") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(known[key] for rule in all_rules() if (key := (rule.group, rule.rule)) in known)


def all_rules() -> list[Rule]:
    """The rules of all groups, in order."""
    return [rule for group in GROUPS for rule in group.rules()]


if __name__ == "__main__":
    main()
