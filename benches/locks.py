#!/usr/bin/env python3
"""What many locks cost (CO-18): the same calls with 1,000, 10,000 and 100,000 active locks in their scope, a quarter of which
begin with a wildcard; and how soon one who waits has the lock that another gives back (CO-16).

usage: benches/locks.py [--most N] [--rounds N] [--ic PATH]

The locks are inserted as another program would, and taken in by the first reservation. Needs python3.
"""

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # nothing is left in the source tree
from common import DEVNULL, at, binary, clean_environment, interleaved, median

FEWEST = 1000
HANDOVERS = 100


def pattern(n):
    """The n-th stored pattern: files, directories, and what begins with a wildcard."""
    kinds = [f"src/d{n % 300}/f{n}.rs", f"src/d{n % 300}/g{n}.rs", f"docs/x{n}/*.md", f"**/gen_{n}.go"]
    return kinds[n % 4]


def touch(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w"):
        pass


class Database:
    """A database with so many active locks in one scope."""

    def __init__(self, ic, locks, scope):
        self.name = f"{locks:,}"
        path = os.path.join(str(locks), "intercore.db")
        os.mkdir(str(locks), mode=0o700)
        self.words = [ic, f"--db={path}"]
        self.ok("init")
        rows = ((f"L{n:07}", f"o{n // 900}", pattern(n), int(time.time())) for n in range(locks))
        with sqlite3.connect(path) as conn:
            conn.executemany("INSERT INTO coordination_locks (id, type, owner, scope, pattern, created_at) "
                             f"VALUES (?, 'file_reservation', ?, '{scope}', ?, ?)", rows)
        conn.close()
        begun = time.perf_counter()
        self.ok("coordination", "reserve", "--owner=first", f"--scope={scope}", "--pattern=first/*.txt")
        self.adopted = time.perf_counter() - begun

    def ok(self, *words):
        return subprocess.run([*self.words, *words], check=True, capture_output=True, text=True).stdout.strip()


def ratios(databases, rounds, scope):
    """The same calls on each, and how many times longer they take than with the fewest locks."""
    reserve = ["coordination", "reserve", "--owner=me{n}", f"--scope={scope}", "--ttl=1h"]
    check = ["coordination", "check", f"--scope={scope}"]
    calls = {
        "reserve a file": [*reserve, "--pattern=src/new/f{n}.rs"],
        "reserve below a full directory": [*reserve, "--pattern=src/d7/new{n}.rs"],
        "reserve a tree": [*reserve, "--pattern=new/x{n}/*.rs"],
        "reserve **/*.ext": [*reserve, "--pattern=**/new_{n}.go"],
        "check a file": [*check, "--pattern=src/none/f.rs"],
        "check **/*.ext": [*check, "--pattern=**/none.go"],
    }
    both = {(name, db.name): [*db.words, *words] for name, words in calls.items() for db in databases}
    times = interleaved(both, rounds)
    print(f"{'active locks':<32}" + "".join(f"{db.name:>12}" for db in databases) + f"{'ratio':>8}")
    for name in calls:
        each = [median(times[name, db.name]) for db in databases]
        print(f"{name:<32}" + "".join(f"{took:>9.0f} us" for took in each) + f"{each[-1] / each[0]:>8.2f}")


def everything(databases, scope):
    """What overlaps everything is compared with everything: said, not hidden."""
    line = []
    for db in databases:
        begun = time.perf_counter()
        subprocess.run([*db.words, "coordination", "check", f"--scope={scope}", "--pattern=**"], stdout=DEVNULL, check=False)
        line.append(f"{db.name}: {(time.perf_counter() - begun) * 1000:.0f} ms")
    print("check of `**`, which overlaps everything: " + ", ".join(line))


def handover(db):
    """How soon after the release began one who waits has the lock."""
    waits = []
    for n in range(HANDOVERS):
        lock = db.ok("coordination", "reserve", "--owner=a", "--scope=turn", f"--pattern=p{n}")
        words = [*db.words, "coordination", "reserve", "--owner=b", "--scope=turn", f"--pattern=p{n}", "--wait=30s"]
        waiter = subprocess.Popen(words, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
        time.sleep(0.1)
        begun = time.perf_counter()
        db.ok("coordination", "release", lock)
        waiter.wait()
        waits.append((time.perf_counter() - begun) * 1000)
    waits.sort()
    print(f"handed over after {median(waits):.1f} ms (median), {at(waits, .99):.1f} ms (p99), {waits[-1]:.1f} ms (worst), "
          "the calls' own time included")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--most", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--ic", default=None)
    args = parser.parse_args()
    ic = binary(args.ic)
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        clean_environment(scratch)
        os.environ["IC_LOG_LEVEL"] = "error"
        scope = os.path.join(os.getcwd(), "tree")
        sizes = sorted({FEWEST, 10_000, args.most})
        # What is held and asked for are files: a path that is not there yet might become a directory, and then meets all
        # that begins with `**`.
        for n in range(sizes[-1]):
            if pattern(n).startswith("src/"):
                touch(os.path.join(scope, pattern(n)))
        for n in range(2 * args.rounds + 100):
            for name in ["src/new/f{n}.rs", "src/d7/new{n}.rs", "src/none/f.rs"]:
                touch(os.path.join(scope, name.replace("{n}", str(n))))
        databases = [Database(ic, size, scope) for size in sizes]
        print("taken in: " + ", ".join(f"{db.name} in {db.adopted:.1f} s" for db in databases))
        ratios(databases, args.rounds, scope)
        everything(databases, scope)
        handover(databases[0])
        os.chdir("/")


if __name__ == "__main__":
    main()
