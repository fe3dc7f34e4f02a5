#!/usr/bin/env bash
# Counts what a call costs, and fails if it costs more than it may: instructions (valgrind), system calls and syncs
# (strace), the binary's size, the log's growth. Counts do not depend on how busy the machine is; times are in speed.py.
#
# usage: benches/counts.sh [IC]     IC: the release binary (default: the one that cargo built)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

# Instructions differ a little between compilers and C libraries: 3 % more than the budget is let through.
tolerance_percent=3
max_read_instructions=1280000

max_write_instructions=1890000
# CL-01: callers ask for health before almost everything else.
max_health_instructions=262000
# A reservation looks for what is over, what is in the way and who waits, before it writes to six indexes.
max_reserve_instructions=2700000
# TS-56: one task of 900, in files of 130 and 160 kB; some 30 ms.
max_task_instructions=101000000
max_read_calls=130
max_write_calls=160
# No design rule: a guard against accidents.
max_bytes=16777216
max_log_bytes=262144

ic=${1:-}
if [ -z "$ic" ]; then
  triple=$(rustc -vV | sed -n 's/^host: //p')
  ic=$root/target/$triple/release/ic
fi
[ -x "$ic" ] || { echo "no binary at $ic: run cargo build --release"; exit 2; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export HOME=$scratch
unset INTERCORE_DB IC_TRACE_ID IC_SPAN_ID IC_PARENT_SPAN_ID

failed=0
at_most() { # what found limit
  if [ "$2" -le "$3" ]; then
    printf 'ok    %-46s %9d  (at most %d)\n' "$1" "$2" "$3"
  else
    printf 'OVER  %-46s %9d  (at most %d)\n' "$1" "$2" "$3"
    failed=1
  fi
}

"$ic" init >/dev/null
run=$("$ic" run create --goal=count --phases='["a","b","c","d","e","f","g","h","i","j","k","l"]')
"$ic" run advance "$run" >/dev/null

instructions() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
calls() { # pattern command…
  local pattern=$1
  shift
  strace -f -o trace "$@" >/dev/null
  grep -cE "$pattern" trace || true
}
any='^[0-9]+ +[a-z_0-9]+\('
sync='^[0-9]+ +(fsync|fdatasync|sync_file_range|msync)\('

if command -v valgrind >/dev/null; then
  read_limit=$((max_read_instructions * (100 + tolerance_percent) / 100))
  write_limit=$((max_write_instructions * (100 + tolerance_percent) / 100))
  at_most "instructions of run phase" "$(instructions "$ic" run phase "$run")" "$read_limit"
  at_most "instructions of health" "$(instructions "$ic" health)" \
    $((max_health_instructions * (100 + tolerance_percent) / 100))
  at_most "instructions of run advance" "$(instructions "$ic" run advance "$run")" "$write_limit"
else
  echo "skipped: valgrind is not installed"
fi

if command -v strace >/dev/null && strace -o trace true 2>/dev/null; then
  at_most "system calls of run phase" "$(calls "$any" "$ic" run phase "$run")" $max_read_calls
  at_most "syncs of health" "$(calls "$sync" "$ic" health)" 0
  at_most "syncs of run phase" "$(calls "$sync" "$ic" run phase "$run")" 0
  at_most "system calls of run advance" "$(calls "$any" "$ic" run advance "$run")" $max_write_calls
  at_most "syncs of run advance" "$(calls "$sync" "$ic" run advance "$run")" 1
  # A long run: sixty advances in a row, some of which move the log into the database.
  chain=$(seq -f '"p%g"' -s, 80)
  long=$("$ic" run create --goal='many advances' --phases="[$chain]")
  total=0
  for _ in $(seq 60); do
    total=$((total + $(calls "$sync" "$ic" run advance "$long")))
  done
  at_most "syncs of 60 advances" "$total" 78
else
  echo "skipped: strace is not installed, or may not trace"
fi

for n in $(seq 1000); do
  "$ic" agent add "$run" --name="b$n" >/dev/null
done
at_most "bytes of log after 1000 writes" "$(stat -c %s .clavain/intercore.db-wal)" $max_log_bytes
# The database, its log, the index of the log, and what keeps them out of git.
at_most "files beside the database" "$(find .clavain -type f | wc -l)" 4
if command -v valgrind >/dev/null; then
  reserve_limit=$((max_reserve_instructions * (100 + tolerance_percent) / 100))
  reserve() { # owner pattern
    "$ic" coordination reserve --owner="$1" --scope=counted --pattern="$2" --ttl=1h >/dev/null 2>&1
  }
  reserve first 'a/*.rs'
  at_most "instructions of coordination reserve" \
    "$(instructions "$ic" coordination reserve --owner=me --scope=counted --pattern='b/*.rs' --ttl=1h)" "$reserve_limit"
  # CO-18: the cost follows the locks that can overlap, not all of them.
  for n in $(seq 900); do
    reserve one "dir$n/*.rs"
    reserve two "**/file$n.c"
  done
  at_most "the same beside 1800 locks" \
    "$(instructions "$ic" coordination reserve --owner=me --scope=counted --pattern='c/*.rs' --ttl=1h)" "$reserve_limit"
  mkdir -p specs
  printf '# TODO\n\n' >specs/TODO.md
  printf '{\n  "active_projects": [\n' >specs/state.json
  for n in $(seq 900); do
    printf '### %d. A task of some length, as they are\n- **Status**: [RESEARCHED]\n\n**Description**: %s\n\n---\n\n' \
      "$n" 'as long as descriptions are, on and on' >>specs/TODO.md
    [ "$n" = 900 ] && end='' || end=,
    printf '    {"project_number": %d, "project_name": "a_task", "status": "researched", "description": "%s"}%s\n' \
      "$n" 'as long as descriptions are, on and on and on' "$end" >>specs/state.json
  done
  printf '  ]\n}\n' >>specs/state.json
  at_most "instructions of task set beside 900 tasks" \
    "$(instructions "$ic" task set 450 --to=planning --force)" \
    $((max_task_instructions * (100 + tolerance_percent) / 100))
fi
at_most "bytes of the binary" "$(stat -c %s "$ic")" $max_bytes
exit $failed
