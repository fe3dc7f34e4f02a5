#!/usr/bin/env python3
"""What a long history costs (EV-07): the same calls on a log of 1,000 events and on one of 1,000,000; what the log's readers
take of memory; how soon a follower sees a commit, and what it costs while nothing happens.

usage: benches/scale.py [--events N] [--rounds N] [--ic PATH]

The logs are made here, hash chain and all, and taken over by `ic events import`, which checks every link. Needs python3, and
Linux for memory and processor time. With a million events it takes a minute and a gigabyte in TMPDIR.
"""

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True  # nothing is left in the source tree
from common import DEVNULL, at, binary, clean_environment, interleaved, median, timed

FIELDS = ["id", "at_ms", "origin", "run_id", "source", "type", "subject", "from_state", "to_state", "reason", "data", "envelope"]
SMALL = 1000
COMMITS = 200


def link(previous, event):
    """The hash of an event after the one whose hash is `previous`: the form is in src/domain/chain.rs."""
    parts = [previous.encode(), b"ic-event/1"]
    for field in FIELDS:
        value = event[field]
        if value is None:
            parts.append(b"\0")
            continue
        text = str(value).encode()
        parts += [b"\1", len(text).to_bytes(8, "big"), text]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def lengthen(export, events, path):
    """Writes the log in `export` to `path`, followed by events of other runs until there are `events`."""
    with open(export) as file:
        file.readline()
        lines = file.readlines()
    last = json.loads(lines[-1])
    number, previous, at_ms = last["id"], last["hash"], last["at_ms"]
    body = path + ".body"
    with open(body, "w") as out:
        out.writelines(lines)
        kinds = [("ci", "built"), ("ci", "tested"), ("phase", "advance"), ("agent", "update"), ("artifact", "add")]
        for number in range(number + 1, events + 1):
            at_ms += 40
            source, kind = kinds[number % len(kinds)]
            event = {
                "id": number, "at_ms": at_ms, "origin": "external", "run_id": f"other{number % 1000:03}", "source": source,
                "type": kind, "subject": f"s{number % 5000:07}", "from_state": "planned", "to_state": "executing",
                "reason": None, "data": '{"commit":"%040x","ok":true}' % number, "envelope": None,
            }
            previous = event["hash"] = link(previous, event)
            out.write(json.dumps(event, separators=(",", ":")) + "\n")
    with open(path, "w") as out, open(body) as lines:
        out.write(json.dumps({"format": "ic-events/1", "head": f"{number}:{previous}"}) + "\n")
        for piece in iter(lambda: lines.read(1 << 20), ""):
            out.write(piece)
    os.remove(body)


class Database:
    """A database whose log has so many events, a dozen of which are of one run."""

    def __init__(self, ic, events):
        self.name = f"{events:,}"
        path = os.path.join(str(events), "intercore.db")
        os.mkdir(str(events), mode=0o700)
        self.words = [ic, f"--db={path}"]
        self.ok("init")
        chain = json.dumps([f"p{n}" for n in range(20)])
        self.run = self.ok("run", "create", "--goal=bench", f"--phases={chain}")
        for _ in range(5):
            self.ok("run", "advance", self.run)
        self.ok("events", "export", "start.jsonl")
        lengthen("start.jsonl", events, "long.jsonl")
        begun = time.perf_counter()
        self.ok("events", "import", "long.jsonl")
        self.imported = time.perf_counter() - begun
        os.remove("start.jsonl")
        os.remove("long.jsonl")
        for _ in range(5):
            self.ok("run", "advance", self.run)
        self.head = int(json.loads(self.ok("events", "stats", "--json"))["head"].split(":")[0])

    def ok(self, *words):
        return subprocess.run([*self.words, *words], check=True, capture_output=True, text=True).stdout.strip()


def ratios(small, large, rounds):
    """The same calls on both, and how many times longer they take on the long log."""
    tail = ["events", "tail", "--all"]
    calls = {
        "run phase": lambda db: ["run", "phase", db.run],
        "run events": lambda db: ["run", "events", db.run],
        "agent add": lambda db: ["agent", "add", db.run],
        "events record": lambda db: ["events", "record", "--source=ci", "--type=built", '--payload={"n":{n}}'],
        "events tail, first 100": lambda db: [*tail, "--limit=100"],
        "events tail, middle 100": lambda db: [*tail, f"--since={db.head // 2}", "--limit=100"],
        "events tail, newest 100": lambda db: [*tail, f"--since={db.head - 100}", "--limit=100"],
        "events tail of one run": lambda db: ["events", "tail", db.run],
        "events tail --source=run": lambda db: [*tail, "--source=run"],
        "events tail --consumer": lambda db: [*tail, "--limit=5", "--consumer=bench"],
    }
    both = {(name, db.name): [*db.words, *call(db)] for name, call in calls.items() for db in (small, large)}
    times = interleaved(both, rounds)
    print(f"{'events in the log':<28}{small.name:>12}{large.name:>12}{'ratio':>8}")
    for name in calls:
        few, lots = median(times[name, small.name]), median(times[name, large.name])
        print(f"{name:<28}{few:>9.0f} us{lots:>9.0f} us{lots / few:>8.2f}")


def peak(pid):
    """Most memory that the process has had, in KiB; none once it has ended."""
    try:
        with open(f"/proc/{pid}/status") as lines:
            return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), None)
    except OSError:
        return None


def memory(db):
    """The whole log through each of its readers: seconds, and the most memory."""
    readers = {
        "events tail --limit=all": ["events", "tail", "--all", f"--limit={10 ** 9}"],
        "events tail, one source": ["events", "tail", "--all", "--source=ci", f"--limit={10 ** 9}"],
        "events export -": ["events", "export", "-"],
        "events verify": ["events", "verify"],
        "events stats": ["events", "stats"],
        "health --deep": ["health", "--deep"],
    }
    print(f"\n{'the whole log':<28}{'seconds':>10}{'KiB at most':>14}")
    for name, words in readers.items():
        begun = time.perf_counter()
        process = subprocess.Popen([*db.words, *words], stdin=DEVNULL, stdout=DEVNULL)
        most = 0
        while process.poll() is None:
            most = max(most, peak(process.pid) or 0)
            time.sleep(0.002)
        if process.returncode:
            sys.exit(f"{name}: ended with {process.returncode}")
        print(f"{name:<28}{time.perf_counter() - begun:>10.2f}{most:>14}")


def on_cpu(pid):
    """Seconds that the process has spent on a processor."""
    with open(f"/proc/{pid}/schedstat") as line:
        return int(line.read().split()[0]) / 1e9


def follow(db, idle):
    """How soon a follower prints what another process commits, and what it takes while nobody commits."""
    head = json.loads(db.ok("events", "stats", "--json"))["head"].split(":")[0]
    words = ["events", "tail", "--all", "--follow", f"--since={head}"]
    follower = subprocess.Popen([*db.words, *words], stdin=DEVNULL, stdout=subprocess.PIPE)
    seen = []

    def read():
        for _ in follower.stdout:
            seen.append(time.perf_counter())

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(0.3)
    before = on_cpu(follower.pid)
    time.sleep(idle)
    share = (on_cpu(follower.pid) - before) / idle
    waits = []
    for n in range(COMMITS):
        time.sleep(random.uniform(0.01, 0.06))
        # From before the writing process starts: what is found is a little more than the time from its commit.
        begun = time.perf_counter()
        timed([*db.words, "events", "record", "--source=ci", "--type=built"])
        while len(seen) <= n:
            time.sleep(0.0002)
        waits.append((seen[n] - begun) * 1000)
    waits.sort()
    follower.terminate()
    code = follower.wait()
    reader.join()
    print(f"\nfollow: {COMMITS} commits seen after {median(waits):.1f} ms (median), {at(waits, .99):.1f} ms (p99), "
          f"{waits[-1]:.1f} ms (worst), the writer's whole call included; idle for {idle} s: {share * 100:.2f} % of a core; "
          f"ended with {code} on SIGTERM")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--idle", type=int, default=10, help="seconds without a commit")
    parser.add_argument("--ic", default=None)
    args = parser.parse_args()
    ic = binary(args.ic)
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        clean_environment(scratch)
        # A page of a long log says that more follow, on stderr.
        os.environ["IC_LOG_LEVEL"] = "error"
        small, large = Database(ic, SMALL), Database(ic, args.events)
        print(f"{args.events} events imported in {large.imported:.1f} s, {large.imported / args.events * 1e6:.1f} us each")
        ratios(small, large, args.rounds)
        memory(large)
        follow(large, args.idle)
        os.chdir("/")


if __name__ == "__main__":
    main()
