#!/usr/bin/env python3
"""Whole-process times, in one interleaved run, with ratios to /bin/true and to the sqlite3 shell.

usage: benches/speed.py [--rounds N] [--ic PATH]

The rounds run every command once, in random order, so that a machine that slows down slows all of them. Trust the
ratios, not the microseconds. Needs python3; the sqlite3 shell and valgrind are optional.
"""

import argparse
import os
import random
import statistics
import subprocess
import tempfile
import time


def host():
    out = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    return next(line[6:] for line in out.splitlines() if line.startswith("host: "))


def timed(argv, cwd, devnull):
    start = time.perf_counter_ns()
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, devnull, 1)])
    os.waitpid(pid, 0)
    return (time.perf_counter_ns() - start) / 1000


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--ic", default=None)
    args = parser.parse_args()
    ic = args.ic or os.path.join(root, "target", host(), "release", "ic")
    os.environ.pop("INTERCORE_DB", None)

    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        ok = lambda *words: subprocess.run([ic, *words], check=True, capture_output=True, text=True).stdout.strip()
        ok("init")
        chain = '["' + '","'.join(f"p{n}" for n in range(args.rounds + 20)) + '"]'
        run = ok("run", "create", "--goal=bench", f"--phases={chain}")
        commands = {
            "/bin/true": ["/bin/true"],
            "ic version": [ic, "version"],
            "ic health": [ic, "health"],
            "ic run phase": [ic, "run", "phase", run],
            "ic run advance": [ic, "run", "advance", run],
            "ic agent add": [ic, "agent", "add", run],
        }
        shell = next((p for p in ("/usr/bin/sqlite3", "/usr/local/bin/sqlite3") if os.path.exists(p)), None)
        if shell:
            subprocess.run([shell, "plain.db", "PRAGMA journal_mode=WAL; CREATE TABLE t(a, b);"], check=True, capture_output=True)
            commands["sqlite3: one SELECT"] = [shell, ".clavain/intercore.db", f"SELECT phase FROM runs WHERE id='{run}'"]
            commands["sqlite3: one INSERT"] = [shell, "plain.db", "INSERT INTO t VALUES (1, 'x')"]
        times = {name: [] for name in commands}
        devnull = os.open(os.devnull, os.O_WRONLY)
        for turn in range(args.rounds + 5):
            names = list(commands)
            random.shuffle(names)
            for name in names:
                took = timed(commands[name], scratch, devnull)
                if turn >= 5:
                    times[name].append(took)
        base = statistics.median(times["/bin/true"])
        select = statistics.median(times.get("sqlite3: one SELECT", [0])) or None
        insert = statistics.median(times.get("sqlite3: one INSERT", [0])) or None
        print(f"{'command':<22}{'median us':>10}{'p10':>8}{'p90':>8}{'/bin/true':>11}{'SELECT':>8}{'INSERT':>8}")
        for name, values in times.items():
            values.sort()
            mid = statistics.median(values)
            ratio = lambda to: f"{mid / to:.2f}" if to else "-"
            p10, p90 = values[len(values) // 10], values[len(values) * 9 // 10]
            print(f"{name:<22}{mid:>10.0f}{p10:>8.0f}{p90:>8.0f}{ratio(base):>11}{ratio(select):>8}{ratio(insert):>8}")


main()
