"""What the benchmarks share: where the binary is, how a whole process is timed, and how many are told from each other."""

import os
import random
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEVNULL = os.open(os.devnull, os.O_RDWR)


def binary(given=None):
    """The release binary: the one that was named, or the one that cargo built."""
    if not given:
        out = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
        host = next(line[6:] for line in out.splitlines() if line.startswith("host: "))
        target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target")
        given = os.path.join(target, host, "release", "ic")
    given = os.path.abspath(given)
    if not os.access(given, os.X_OK):
        sys.exit(f"no binary at {given}: run cargo build --release")
    return given


def clean_environment(home):
    """Nothing of the caller's own reaches the calls."""
    for name in list(os.environ):
        if name.startswith(("INTERCORE_", "IC_", "CLAUDE_")):
            del os.environ[name]
    os.environ["HOME"] = home


def start(argv, stdin=DEVNULL):
    """Starts a process whose stdout nobody wants."""
    files = [(os.POSIX_SPAWN_DUP2, DEVNULL, 1)]
    if stdin == DEVNULL:
        files.append((os.POSIX_SPAWN_DUP2, DEVNULL, 0))
    else:
        files.append((os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0))
    return os.posix_spawn(argv[0], argv, os.environ, file_actions=files)


def timed(argv, stdin=DEVNULL):
    """Microseconds from before the start of a process until it has ended; it has to succeed."""
    begun = time.perf_counter_ns()
    _, status = os.waitpid(start(argv, stdin), 0)
    took = (time.perf_counter_ns() - begun) / 1000
    if status:
        sys.exit(f"{' '.join(argv)}: ended with {os.waitstatus_to_exitcode(status)}")
    return took


def interleaved(commands, rounds, stdin=None):
    """Times of every command. Each round runs each once, in random order: a machine that slows down slows all of them.

    In a command's words `{n}` is the number of the round. `stdin` names a file for commands that read one.
    """
    times = {name: [] for name in commands}
    for turn in range(rounds + 5):
        names = list(commands)
        random.shuffle(names)
        for name in names:
            argv = [word.replace("{n}", str(turn)) for word in commands[name]]
            took = timed(argv, (stdin or {}).get(name, DEVNULL))
            if turn >= 5:
                times[name].append(took)
    return {name: sorted(values) for name, values in times.items()}


def at(values, share):
    """The value that `share` of the sorted values stay below."""
    return values[min(len(values) - 1, int(len(values) * share))]


median = statistics.median
