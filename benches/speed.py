#!/usr/bin/env python3
"""Whole-process times, in one interleaved run, with ratios to /bin/true and to the sqlite3 shell; then many at once.

usage: benches/speed.py [--rounds N] [--ic PATH]

The rounds run every command once, in random order, so that a machine that slows down slows all of them. Trust the
ratios, not the microseconds. Needs python3; the sqlite3 shell is optional. What a long history costs is in scale.py.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # nothing is left in the source tree
from common import at, binary, clean_environment, interleaved, median, start, timed

WRITERS = 64
EACH = 20
STARTS = 20


def one_by_one(ic, run, rounds):
    """Each command beside /bin/true and the sqlite3 shell."""
    with open("state.json", "w") as file:
        file.write('{"step":3}')
    commands = {
        "/bin/true": ["/bin/true"],
        "ic version": [ic, "version"],
        "ic health": [ic, "health"],
        "ic run phase": [ic, "run", "phase", run],
        "ic state get": [ic, "state", "get", "bench", "s0"],
        "ic state set": [ic, "state", "set", "bench", "s{n}"],
        "ic sentinel check": [ic, "sentinel", "check", "bench", "s{n}", "--interval=60"],
        "ic run advance": [ic, "run", "advance", run],
        "ic agent add": [ic, "agent", "add", run],
    }
    shell = shutil.which("sqlite3")
    if shell:
        subprocess.run([shell, "plain.db", "PRAGMA journal_mode=WAL; CREATE TABLE t(a, b);"], check=True, capture_output=True)
        commands["sqlite3: one SELECT"] = [shell, ".clavain/intercore.db", f"SELECT phase FROM runs WHERE id='{run}'"]
        commands["sqlite3: one INSERT"] = [shell, "plain.db", "INSERT INTO t VALUES (1, 'x')"]
    timed([ic, "state", "set", "bench", "s0"], "state.json")
    times = interleaved(commands, rounds, {"ic state set": "state.json"})
    base = median(times["/bin/true"])
    select = median(times.get("sqlite3: one SELECT", [0])) or None
    insert = median(times.get("sqlite3: one INSERT", [0])) or None
    print(f"{'command':<22}{'median us':>10}{'p10':>8}{'p90':>8}{'/bin/true':>11}{'SELECT':>8}{'INSERT':>8}")
    for name, values in times.items():
        mid = median(values)
        ratio = lambda to: f"{mid / to:.2f}" if to else "-"
        print(f"{name:<22}{mid:>10.0f}{at(values, .1):>8.0f}{at(values, .9):>8.0f}{ratio(base):>11}"
              f"{ratio(select):>8}{ratio(insert):>8}")


def worker(argv, times, gate, out):
    """Waits for the gate to open, makes its calls, and says how long each took and how many failed."""
    os.read(gate, 1)
    for n in range(times):
        begun = time.perf_counter_ns()
        _, status = os.waitpid(start(argv), 0)
        os.write(out, b"%d %d\n" % ((time.perf_counter_ns() - begun) // 1000, status != 0))


def at_once(argv, times):
    """Starts all writers at the same moment; answers when each ended, how long each call took, and how many failed."""
    gate, opener = os.pipe()
    workers = {}
    for n in range(WRITERS):
        path = f"writer-{n}"
        pid = os.fork()
        if pid == 0:
            os.close(opener)
            worker(argv, times, gate, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            os._exit(0)
        workers[pid] = path
    os.close(gate)
    time.sleep(0.2)
    begun = time.perf_counter_ns()
    os.close(opener)
    ends, calls, failed = [], [], 0
    for _ in range(WRITERS):
        pid, _ = os.wait()
        ends.append((time.perf_counter_ns() - begun) / 1000)
        with open(workers[pid]) as lines:
            made = [tuple(map(int, line.split())) for line in lines]
        calls += [took for took, _ in made]
        failed += sum(bad for _, bad in made) + times - len(made)
    return ends, sorted(calls), failed


def many(ic, run):
    """64 writers: one call each, and twenty each. What starting 64 processes costs is seen with /bin/true."""
    write = [ic, "agent", "add", run]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    rounds = []
    for _ in range(STARTS):
        alone = median(timed(write) for _ in range(40))
        ends, _, failed = at_once(write, 1)
        rounds.append((max(ends) / (WRITERS * alone / cores), max(ends), alone, failed))
    print(f"\n{WRITERS} writers at once, {STARTS} times, {cores} cores:")
    print(f"  failures {sum(r[3] for r in rounds)}, one alone {median(r[2] for r in rounds) / 1000:.2f} ms, "
          f"slowest {median(r[1] for r in rounds) / 1000:.0f} ms (worst {max(r[1] for r in rounds) / 1000:.0f} ms)")
    bare = median(max(at_once(["/bin/true"], 1)[0]) for _ in range(STARTS))
    print(f"  the same with /bin/true {bare / 1000:.0f} ms")
    print(f"  slowest / ({WRITERS} x alone / cores): median {median(r[0] for r in rounds):.2f}, worst {max(r[0] for r in rounds):.2f}")
    ends, calls, failed = at_once(write, EACH)
    print(f"{WRITERS} writers, {EACH} writes each:")
    print(f"  failures {failed}, median {median(calls) / 1000:.1f} ms, p99 {at(calls, .99) / 1000:.0f} ms, "
          f"worst {calls[-1] / 1000:.0f} ms, all in {max(ends) / 1e6:.2f} s, slowest / fastest worker {max(ends) / min(ends):.2f}")


def in_a_row(ic):
    """A thousand writes, each by a process of its own: what is left of them, and what a read costs then."""
    dirs = {}
    for name in ("fresh", "after"):
        os.mkdir(name)
        dirs[name] = os.path.join(os.getcwd(), name, ".clavain", "intercore.db")
        os.environ["INTERCORE_DB"] = dirs[name]
        subprocess.run([ic, "init"], check=True, capture_output=True)
        made = subprocess.run([ic, "run", "create", "--goal=bench"], check=True, capture_output=True, text=True)
        dirs[name] = (dirs[name], made.stdout.strip())
    database, run = dirs["after"]
    for n in range(1000):
        timed([ic, "agent", "add", run, f"--name=b{n}"])
    del os.environ["INTERCORE_DB"]
    beside = sorted(set(os.listdir(os.path.dirname(database))) - {"intercore.db", "intercore.db-wal", "intercore.db-shm"})
    reads = {name: ["/usr/bin/env", f"INTERCORE_DB={path}", ic, "run", "phase", of] for name, (path, of) in dirs.items()}
    times = {name: median(values) for name, values in interleaved(reads, 200).items()}
    print("1,000 writes in a row:")
    print(f"  WAL {os.path.getsize(database + '-wal')} bytes, stray files {beside or 'none'}, "
          f"a read after / fresh {times['after'] / times['fresh']:.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--ic", default=None)
    args = parser.parse_args()
    ic = binary(args.ic)
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        clean_environment(scratch)
        ok = lambda *words: subprocess.run([ic, *words], check=True, capture_output=True, text=True).stdout.strip()
        ok("init")
        chain = '["' + '","'.join(f"p{n}" for n in range(args.rounds + 20)) + '"]'
        run = ok("run", "create", "--goal=bench", f"--phases={chain}")
        one_by_one(ic, run, args.rounds)
        many(ic, run)
        in_a_row(ic)
        os.chdir("/")


if __name__ == "__main__":
    main()
