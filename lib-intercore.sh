# shellcheck shell=bash
# lib-intercore.sh, version 2: the commands of `ic` as shell functions, for scripts and hooks that must not fail.
#
# Source it. It needs bash 3.2 and the tools of POSIX, works with and without `set -euo pipefail`, changes no option of the
# caller, and may be sourced twice. README.md ("Wrappers") lists the functions, what they print and what they return.
#
#   INTERCORE_BIN        the `ic` to use; taken from PATH when empty, and set once that one has been found in health
#   INTERCORE_DB         the database, exported or not; otherwise `ic` finds it
#   INTERCORE_LOCK_DIR   where locks are, instead of /tmp/intercore/locks
#   INTERCORE_LEGACY_DIR where older hooks left their files, instead of /tmp (intercore_cleanup_stale)
#
# Rules of this file: an argument is only ever passed on as one word, behind `--` or after `--flag=`, and never becomes part
# of code, of JSON or of a pattern; arithmetic sees checked digits only. What `ic` refuses (exit code 3) is refused here too:
# only a missing or broken `ic` leads to a fallback.

# shellcheck disable=SC2034 # for callers
INTERCORE_WRAPPER_VERSION=2
# shellcheck disable=SC2034 # for callers
INTERCORE_STOP_DEDUP_SENTINEL="stop"
: "${INTERCORE_BIN:=}"
_intercore_me=''
_intercore_space=''

# --- finding and running ic ---------------------------------------------------------------------------------------------

# Is there such a program? A word without a slash is looked up in PATH. Starts no process.
_intercore_is_program() {
  case "$1" in
    '') return 1 ;;
    */*) [[ -f "$1" && -x "$1" ]] ;;
    *) type -P -- "$1" >/dev/null ;;
  esac
}

# Runs a program with the caller's settings, exported or not. The subshell becomes the program: one process, whose parent
# is the caller. Words that are too long for the system never get there: they are refused as `ic` would (3).
_intercore_exec() {
  local code=0 word length=0
  (
    export INTERCORE_DB INTERCORE_LOCK_DIR
    exec -- "$@"
  ) || code=$?
  if [[ "$code" -eq 126 ]]; then
    for word in "$@"; do
      length=$((length + ${#word}))
    done
    [[ "$length" -lt 30000 ]] || code=3
  fi
  return "$code"
}

_intercore_ic() {
  _intercore_exec "$INTERCORE_BIN" "$@"
}

# Whether a call ended with an answer: done, the expected negative, or a refusal of its arguments. Everything else means
# that `ic` or its database is broken.
_intercore_answered() {
  case "$1" in
    0 | 1 | 3) return 0 ;;
    *) return 1 ;;
  esac
}

# intercore_available: 0 if `ic` and its database can be used.
# A non-empty INTERCORE_BIN is taken at its word, so a shell asks for the health of the database once.
intercore_available() {
  local found
  if [[ -n "${INTERCORE_BIN:-}" ]]; then
    _intercore_is_program "$INTERCORE_BIN"
    return
  fi
  found=$(type -P ic) || return 1
  case "$found" in
    /*) ;;
    *) found=$PWD/$found ;;
  esac
  if ! _intercore_exec "$found" health >/dev/null 2>&1; then
    printf '%s\n' "ic: the database cannot be used; see 'ic health', 'ic init'" >&2
    return 1
  fi
  INTERCORE_BIN=$found
}

# --- state --------------------------------------------------------------------------------------------------------------

# intercore_state_set KEY SCOPE VALUE: always 0; why something was not stored is on stderr.
intercore_state_set() {
  intercore_available || return 0
  printf '%s' "${3-}" 2>/dev/null | _intercore_ic state set -- "${1-}" "${2-}" - >/dev/null || :
}

# intercore_state_get KEY SCOPE: prints the value, or nothing; always 0.
intercore_state_get() {
  intercore_available || return 0
  _intercore_ic state get -- "${1-}" "${2-}" 2>/dev/null || :
}

# intercore_state_delete_all KEY LEGACY_GLOB: forgets the key in every scope; prints `deleted` for each.
intercore_state_delete_all() {
  local code=0
  if intercore_available; then
    _intercore_ic state delete --all -- "${1-}" || code=$?
    _intercore_answered "$code" && return 0
  fi
  _intercore_remove "${2-}"
}

# --- sentinels ----------------------------------------------------------------------------------------------------------

# intercore_sentinel_check NAME SCOPE INTERVAL: 0 allowed, 1 throttled, 3 refused. A broken database allows, so that
# `intercore_sentinel_check … || exit 0` goes quiet for one reason only.
intercore_sentinel_check() {
  local code=0
  intercore_available || return 0
  _intercore_ic sentinel check --interval="${3-}" -- "${1-}" "${2-}" >/dev/null || code=$?
  _intercore_answered "$code" || return 0
  return "$code"
}

# intercore_sentinel_check_or_legacy NAME SCOPE INTERVAL LEGACY_FILE: 0 allowed, 1 throttled, 3 refused. Without a usable
# `ic` the time of LEGACY_FILE decides.
intercore_sentinel_check_or_legacy() {
  local code=0
  if intercore_available; then
    _intercore_ic sentinel check --interval="${3-}" -- "${1-}" "${2-}" >/dev/null || code=$?
    _intercore_answered "$code" && return "$code"
  fi
  _intercore_legacy_check "${3-}" "${4-}"
}

# intercore_check_or_die NAME SCOPE INTERVAL LEGACY_FILE: as above, but ends the calling shell, with 0, when throttled.
intercore_check_or_die() {
  local code=0
  intercore_sentinel_check_or_legacy "$@" || code=$?
  [[ "$code" -ne 1 ]] || exit 0
  return "$code"
}

# intercore_sentinel_reset_or_legacy NAME SCOPE LEGACY_GLOB: always 0.
intercore_sentinel_reset_or_legacy() {
  local code=0
  if intercore_available; then
    _intercore_ic sentinel reset -- "${1-}" "${2-}" >/dev/null || code=$?
    _intercore_answered "$code" && return 0
  fi
  _intercore_remove "${3-}"
}

# intercore_sentinel_reset_all NAME LEGACY_GLOB: in every scope; always 0.
intercore_sentinel_reset_all() {
  local code=0
  if intercore_available; then
    _intercore_ic sentinel reset --all -- "${1-}" >/dev/null || code=$?
    _intercore_answered "$code" && return 0
  fi
  _intercore_remove "${2-}"
}

# intercore_cleanup_stale: forgets sentinels that fired more than an hour ago; without `ic`, the files of older hooks.
intercore_cleanup_stale() {
  local before
  if intercore_available; then
    _intercore_ic sentinel prune --older-than=1h >/dev/null || :
    return 0
  fi
  before=$(_intercore_reference 3600) || return 0
  (
    _intercore_globbing
    for file in "${INTERCORE_LEGACY_DIR:-/tmp}"/clavain-{stop,drift-last,compound-last}-*; do
      [[ -f "$file" && ! "$file" -nt "$before" ]] || continue
      rm -f -- "$file" 2>/dev/null || :
    done
  )
  rmdir -- "$before" 2>/dev/null || :
}

# --- dispatches ---------------------------------------------------------------------------------------------------------

# intercore_dispatch_spawn TYPE PROJECT PROMPT_FILE [OUTPUT] [NAME]: prints the dispatch's id.
intercore_dispatch_spawn() {
  local flags
  intercore_available || return 1
  flags=("--type=${1-}" "--project=${2-}" "--prompt-file=${3-}" "--name=${5:-codex}")
  [[ -z "${4-}" ]] || flags[4]="--output=$4"
  _intercore_ic dispatch spawn "${flags[@]}"
}

# intercore_dispatch_wait ID [TIMEOUT]: waits for its end; ends it when TIMEOUT, a duration such as 10m, is over.
intercore_dispatch_wait() {
  intercore_available || return 1
  if [[ -n "${2-}" ]]; then
    _intercore_ic dispatch wait --timeout="$2" -- "${1-}" >/dev/null
  else
    _intercore_ic dispatch wait -- "${1-}" >/dev/null
  fi
}

# intercore_dispatch_kill ID: ends it; always 0.
intercore_dispatch_kill() {
  intercore_available || return 0
  _intercore_ic dispatch kill -- "${1-}" >/dev/null || :
}

# intercore_dispatch_status ID: prints JSON.
intercore_dispatch_status() {
  intercore_available || return 1
  _intercore_ic dispatch status --json -- "${1-}"
}

# intercore_dispatch_list_active: prints id, status, type and name, separated by tabs.
intercore_dispatch_list_active() {
  intercore_available || return 0
  _intercore_ic dispatch list --active
}

# intercore_dispatch_tokens ID IN OUT [CACHE]: prints `updated`.
intercore_dispatch_tokens() {
  intercore_available || return 1
  if [[ -n "${4-}" ]]; then
    _intercore_ic dispatch tokens --in="${2-}" --out="${3-}" --cache="$4" -- "${1-}" 2>/dev/null
  else
    _intercore_ic dispatch tokens --in="${2-}" --out="${3-}" -- "${1-}" 2>/dev/null
  fi
}

# --- runs ---------------------------------------------------------------------------------------------------------------

# intercore_run_create PROJECT GOAL [PHASES_JSON] [SCOPE] [COMPLEXITY=3] [TOKEN_BUDGET] [ACTIONS_JSON]: prints the run's id.
intercore_run_create() {
  local phases="${3-}" scope="${4-}" complexity="${5:-3}" budget="${6-}" actions="${7-}"
  set -- --project="${1-}" --goal="${2-}" --scope-id="$scope" --complexity="$complexity"
  [[ -z "$phases" ]] || set -- "$@" --phases="$phases"
  [[ -z "$budget" ]] || set -- "$@" --token-budget="$budget"
  [[ -z "$actions" ]] || set -- "$@" --actions="$actions"
  intercore_available || return 1
  _intercore_ic run create "$@" 2>/dev/null
}

# intercore_run_list [FLAG…], where a flag is --active, --scope=… or --portfolio: prints a JSON array.
intercore_run_list() {
  intercore_available || return 1
  _intercore_ic run list --json "$@" 2>/dev/null
}

# intercore_run_status RUN: prints JSON.
intercore_run_status() {
  intercore_available || return 1
  _intercore_ic run status --json -- "${1-}" 2>/dev/null
}

# intercore_run_current [PROJECT]: prints the id of the project's newest active run; 1 if it has none.
intercore_run_current() {
  intercore_available || return 1
  _intercore_ic run current --project="${1-}" 2>/dev/null
}

# intercore_run_phase RUN: prints the phase.
intercore_run_phase() {
  intercore_available || return 1
  _intercore_ic run phase -- "${1-}" 2>/dev/null
}

# intercore_run_agent_add RUN TYPE [NAME] [DISPATCH]: prints the agent's id.
intercore_run_agent_add() {
  intercore_available || return 1
  _intercore_ic run agent add --type="${2-}" --name="${3-}" --dispatch-id="${4-}" -- "${1-}" 2>/dev/null
}

# intercore_run_agent_list RUN: prints a JSON array.
intercore_run_agent_list() {
  intercore_available || return 1
  _intercore_ic run agent list --json -- "${1-}" 2>/dev/null
}

# intercore_run_agent_update AGENT STATUS, where a status is active, completed or failed.
intercore_run_agent_update() {
  intercore_available || return 1
  _intercore_ic run agent update --status="${2-}" -- "${1-}" >/dev/null 2>&1
}

# intercore_run_artifact_add RUN PHASE PATH [TYPE=file]: prints the artifact's id.
intercore_run_artifact_add() {
  intercore_available || return 1
  _intercore_ic run artifact add --phase="${2-}" --path="${3-}" --type="${4:-file}" -- "${1-}" 2>/dev/null
}

# intercore_run_skip RUN PHASE REASON [ACTOR]
intercore_run_skip() {
  intercore_available || return 1
  _intercore_ic run skip --reason="${3-}" --actor="${4-}" -- "${1-}" "${2-}" >/dev/null 2>&1
}

# intercore_run_tokens RUN: prints JSON.
intercore_run_tokens() {
  intercore_available || return 1
  _intercore_ic run tokens --json -- "${1-}" 2>/dev/null
}

# intercore_run_budget RUN: prints JSON; 1 once the budget is used up.
intercore_run_budget() {
  intercore_available || return 1
  _intercore_ic run budget --json -- "${1-}" 2>/dev/null
}

# intercore_run_rollback RUN PHASE [REASON]: prints JSON.
intercore_run_rollback() {
  intercore_available || return 1
  _intercore_ic run rollback --to-phase="${2-}" --reason="${3-}" -- "${1-}" 2>/dev/null
}

# intercore_run_rollback_dry RUN PHASE: prints what a rollback would change, as JSON.
intercore_run_rollback_dry() {
  intercore_available || return 1
  _intercore_ic run rollback --to-phase="${2-}" --dry-run -- "${1-}" 2>/dev/null
}

# intercore_run_code_rollback RUN [PHASE]: prints the artifacts to roll back, as a JSON array.
intercore_run_code_rollback() {
  intercore_available || return 1
  if [[ -n "${2-}" ]]; then
    _intercore_ic run rollback --layer=code --phase="$2" -- "${1-}" 2>/dev/null
  else
    _intercore_ic run rollback --layer=code -- "${1-}" 2>/dev/null
  fi
}

# intercore_run_action_add RUN PHASE COMMAND [MODE=interactive] [ARGS_JSON]: prints {"id":…}.
intercore_run_action_add() {
  intercore_available || return 1
  _intercore_ic run action add --json --phase="${2-}" --command="${3-}" --mode="${4:-interactive}" --args="${5-}" \
    -- "${1-}" 2>/dev/null
}

# intercore_run_action_list RUN [PHASE]: prints a JSON array.
intercore_run_action_list() {
  intercore_available || return 1
  if [[ -n "${2-}" ]]; then
    _intercore_ic run action list --json --phase="$2" -- "${1-}" 2>/dev/null
  else
    _intercore_ic run action list --json -- "${1-}" 2>/dev/null
  fi
}

# intercore_run_action_update RUN PHASE COMMAND [FLAG…], where a flag is --args=…, --mode=… or --priority=…
intercore_run_action_update() {
  local run="${1-}" phase="${2-}" command="${3-}"
  shift "$(($# < 3 ? $# : 3))"
  intercore_available || return 1
  _intercore_ic run action update --phase="$phase" --command="$command" "$@" -- "$run" >/dev/null 2>&1
}

# intercore_run_action_delete RUN PHASE COMMAND
intercore_run_action_delete() {
  intercore_available || return 1
  _intercore_ic run action delete --phase="${2-}" --command="${3-}" -- "${1-}" >/dev/null 2>&1
}

# intercore_run_advance RUN [PRIORITY=0]: prints JSON, also when the gate stays shut (1).
intercore_run_advance() {
  intercore_available || return 1
  _intercore_ic run advance --json --priority="${2:-0}" -- "${1-}" 2>/dev/null
}

# --- gates --------------------------------------------------------------------------------------------------------------

# intercore_gate_check RUN: 0 open, 1 shut. Without a usable `ic` it is open.
intercore_gate_check() {
  intercore_available || return 0
  _intercore_ic gate check -- "${1-}" >/dev/null
}

# intercore_gate_override RUN REASON [FLAG…], where a flag is --justified or --expedient: prints the step that was taken.
intercore_gate_override() {
  local run="${1-}" reason="${2-}"
  shift "$(($# < 2 ? $# : 2))"
  intercore_available || return 0
  _intercore_ic gate override --reason="$reason" "$@" -- "$run"
}

# --- events -------------------------------------------------------------------------------------------------------------

# intercore_events_tail RUN [FLAG…]: prints lines of JSON. The flags are those of `ic events tail`.
intercore_events_tail() {
  local run="${1-}"
  shift "$(($# < 1 ? $# : 1))"
  intercore_available || return 0
  _intercore_ic events tail --json "$@" -- "$run" 2>/dev/null
}

# intercore_events_tail_all [FLAG…]: the same for all runs.
intercore_events_tail_all() {
  intercore_available || return 0
  _intercore_ic events tail --json --all "$@" 2>/dev/null
}

# intercore_events_cursor_get CONSUMER: prints how far it has read, as JSON, or nothing; always 0. The number is the same
# for every source; `phase` and `dispatch` are there for callers that keep one of each.
intercore_events_cursor_get() {
  local position
  intercore_available || return 0
  position=$(_intercore_ic events cursor get -- "${1-}" 2>/dev/null) || return 0
  [[ -n "$position" ]] || return 0
  printf '{"position":%s,"phase":%s,"dispatch":%s}\n' "$position" "$position" "$position"
}

# intercore_events_cursor_set CONSUMER PHASE_ID DISPATCH_ID: says how far it has read. Of two numbers the smaller one counts
# that is not 0: nothing is stepped over. Neither its place nor its durability changes by this; going back is refused (1).
intercore_events_cursor_set() {
  local id position=''
  intercore_available || return 0
  for id in "${2:-0}" "${3:-0}"; do
    [[ "$id" =~ ^[0-9]{1,18}$ ]] || return 3
    id=$((10#$id))
    [[ "$id" -ne 0 ]] || continue
    [[ -n "$position" && "$position" -le "$id" ]] || position=$id
  done
  _intercore_ic events cursor set -- "${1-}" "${position:-0}" >/dev/null
}

# intercore_events_cursor_reset CONSUMER: prints `reset` or `not found`.
intercore_events_cursor_reset() {
  intercore_available || return 0
  _intercore_ic events cursor reset -- "${1-}"
}

# --- reservations -------------------------------------------------------------------------------------------------------

# intercore_reserve OWNER SCOPE PATTERN [TTL] [REASON]: prints the lock's id, or with 1 what is in the way, as JSON. Without
# `ic` nobody is kept from working.
intercore_reserve() {
  local said code=0
  intercore_available || return 0
  said=$(_intercore_ic coordination reserve --json --owner="${1-}" --scope="${2-}" --pattern="${3-}" --ttl="${4:-900}" \
    --reason="${5-}") || code=$?
  if [[ "$code" -eq 0 ]]; then
    said=${said#*\"id\":\"}
    said=${said%%\"*}
  fi
  [[ -z "$said" ]] || printf '%s\n' "$said"
  return "$code"
}

# intercore_renew ID [OWNER] [TTL]: holds it for longer.
intercore_renew() {
  local flags
  intercore_available || return 0
  flags=(--json)
  [[ -z "${2-}" ]] || flags+=("--owner=$2")
  [[ -z "${3-}" ]] || flags+=("--ttl=$3")
  _intercore_ic coordination renew "${flags[@]}" -- "${1-}" >/dev/null
}

# intercore_release ID [OWNER]: gives it back.
intercore_release() {
  intercore_available || return 0
  if [[ -n "${2-}" ]]; then
    _intercore_ic coordination release --owner="$2" -- "${1-}" >/dev/null
  else
    _intercore_ic coordination release -- "${1-}" >/dev/null
  fi
}

# --- locks --------------------------------------------------------------------------------------------------------------
#
# A lock belongs to the calling shell, and to its subshells. Without `ic` locks are made with mkdir, in the same layout.

# intercore_lock_available: 0 if there is an `ic`; locks need no database.
intercore_lock_available() {
  if [[ -n "${INTERCORE_BIN:-}" ]]; then
    INTERCORE_LOCK_BIN=$INTERCORE_BIN
  elif ! _intercore_is_program "${INTERCORE_LOCK_BIN:-}"; then
    INTERCORE_LOCK_BIN=$(type -P ic) || return 1
  fi
  _intercore_is_program "$INTERCORE_LOCK_BIN"
}

# intercore_lock NAME SCOPE [TIMEOUT=1s]: 0 taken, 1 somebody else has it, 2 it cannot be made, 3 refused.
intercore_lock() {
  local code=0
  if intercore_lock_available; then
    _intercore_owner
    _intercore_exec "$INTERCORE_LOCK_BIN" lock acquire --owner="$_intercore_me" --timeout="${3:-1s}" \
      -- "${1-}" "${2-}" >/dev/null || code=$?
    # 127: it has gone since it was looked up.
    [[ "$code" -eq 127 ]] || return "$code"
  fi
  _intercore_mkdir_lock "${1-}" "${2-}" "${3:-1s}"
}

# intercore_unlock NAME SCOPE: always 0; releases what this shell holds, and nothing else.
intercore_unlock() {
  _intercore_owner
  if intercore_lock_available; then
    _intercore_exec "$INTERCORE_LOCK_BIN" lock release --owner="$_intercore_me" -- "${1-}" "${2-}" >/dev/null || :
    return 0
  fi
  _intercore_is_lock_name "${1-}" && _intercore_is_lock_name "${2-}" || return 0
  _intercore_mkdir_unlock "${INTERCORE_LOCK_DIR:-/tmp/intercore/locks}/$1/$2" || :
}

# intercore_lock_clean [MAX_AGE=5s]: always 0; removes locks that are older and whose owner is gone.
intercore_lock_clean() {
  if intercore_lock_available; then
    _intercore_exec "$INTERCORE_LOCK_BIN" lock clean --older-than="${1:-5s}" >/dev/null || :
    return 0
  fi
  _intercore_mkdir_clean "${1:-5s}" || :
}

# --- fallbacks: what is done where there is no ic -----------------------------------------------------------------------

# Names this shell as the owner of locks, in _intercore_me. `$$` is the same in all its subshells.
_intercore_owner() {
  [[ -z "${_intercore_me:-}" ]] || return 0
  local host=''
  if ! { read -r host </proc/sys/kernel/hostname; } 2>/dev/null; then
    host=$(uname -n 2>/dev/null) || host=''
  fi
  host=${host//[!A-Za-z0-9._-]/_}
  _intercore_me="$$:${host:-localhost}"
}

# Says where the pid of this shell has its meaning, in _intercore_space, in the form of ic: the machine's id,
# a slash, and the number of the PID namespace, `?` if that is unknown.
_intercore_find_space() {
  [[ -z "$_intercore_space" ]] || return 0
  local file='' id='' machine='' pid='' time='' state="${XDG_STATE_HOME:-${HOME:-}/.local/state}"
  for file in /etc/machine-id "$state/intercore/machine-id"; do
    { read -r id <"$file"; } 2>/dev/null || [[ -n "$id" ]] || continue
    case "$id" in
      uninitialized | *[!A-Za-z0-9-]*) id='' ;;
      *) machine=$id && break ;;
    esac
  done
  if [[ -d /proc/self ]] || [[ "$(uname -s 2>/dev/null)" = Linux ]]; then
    pid=$(readlink /proc/self/ns/pid 2>/dev/null) || pid=''
    time=$(readlink /proc/self/ns/time 2>/dev/null) || time=''
    case "$pid" in
      'pid:['*']') pid=${pid//[!0-9]/} ;;
      *) pid='?' ;;
    esac
    # In a time namespace of its own ic sees other start times; the first one has this number.
    time=${time//[!0-9]/}
    [[ "$pid" = '?' || -z "$time" || "$time" = 4026531834 ]] || pid="$pid-$time"
  fi
  _intercore_space="$machine/$pid"
}

# The caller's settings must not keep a pattern from matching, or make it an error when nothing does. For subshells only.
_intercore_globbing() {
  set +efu -B
  shopt -u failglob nocaseglob dotglob
  shopt -s nullglob
  unset GLOBIGNORE
  IFS=''
}

# Removes the files that a pattern names. The pattern is expanded to paths and to nothing else.
_intercore_remove() {
  [[ -n "$1" ]] || return 0
  (
    _intercore_globbing
    # shellcheck disable=SC2086 # a pattern, and IFS is empty
    for file in $1; do
      rm -f -- "$file" 2>/dev/null || :
    done
  )
}

# Leaves the milliseconds of a duration such as 500ms, 90s or 1h30m in _intercore_ms; 1 if it is none.
_intercore_duration() {
  local LC_ALL=C rest="$1" part='^([0-9]{1,9})(ms|s|m|h|d)(.*)$' unit
  _intercore_ms=0
  [[ "$rest" != 0 ]] || return 0
  [[ -n "$rest" ]] || return 1
  while [[ -n "$rest" ]]; do
    [[ "$rest" =~ $part ]] || return 1
    case "${BASH_REMATCH[2]}" in
      ms) unit=1 ;;
      s) unit=1000 ;;
      m) unit=60000 ;;
      h) unit=3600000 ;;
      *) unit=86400000 ;;
    esac
    _intercore_ms=$((_intercore_ms + 10#${BASH_REMATCH[1]} * unit))
    rest=${BASH_REMATCH[3]}
  done
}

# Seconds since 1970.
_intercore_now() {
  local now
  now=$(date +%s 2>/dev/null) || now=''
  case "$now" in
    '' | *[!0-9]*) return 1 ;;
    *) printf '%s' "$now" ;;
  esac
}

# Makes a private directory with a time in the past, and prints its path: the way to compare ages that every system has.
# What is not newer than it is so many seconds old, or older, in whole seconds. The caller removes it.
_intercore_reference() {
  local at day era year month dir
  at=$(_intercore_now) || return 1
  at=$((at > $1 ? at - $1 + 1 : 0))
  # Days to a date of the calendar, in years that begin in March.
  day=$((at / 86400 + 719468))
  era=$((day / 146097))
  day=$((day % 146097))
  year=$(((day - day / 1460 + day / 36524 - day / 146096) / 365))
  day=$((day - (365 * year + year / 4 - year / 100)))
  month=$(((5 * day + 2) / 153))
  day=$((day - (153 * month + 2) / 5 + 1))
  month=$((month < 10 ? month + 3 : month - 9))
  year=$((year + era * 400 + (month <= 2 ? 1 : 0)))
  printf -v at '%04d%02d%02d%02d%02d.%02d' "$year" "$month" "$day" \
    $((at / 3600 % 24)) $((at / 60 % 60)) $((at % 60))
  dir="${TMPDIR:-/tmp}/intercore-age.$$.$RANDOM"
  mkdir -m 700 -- "$dir" 2>/dev/null || return 1
  if ! TZ=UTC0 touch -t "$at" -- "$dir" 2>/dev/null; then
    rmdir -- "$dir"
    return 1
  fi
  printf '%s' "$dir"
}

# Throttles by the time of a file: 1 if it is younger than the interval or, with interval 0, if it is there; otherwise its
# time becomes now, and the answer is 0.
_intercore_legacy_check() {
  local interval="$1" file="$2" before code=0
  case "$interval" in
    '' | *[!0-9]*) ;;
    *) interval=${interval}s ;;
  esac
  if ! _intercore_duration "$interval"; then
    printf '%s\n' "ic: sentinel check: invalid interval" >&2
    return 3
  fi
  [[ -n "$file" ]] || return 0
  # Of several that create it at the same moment one succeeds; a symlink that leads nowhere is not followed.
  if (set -C && : >"$file") 2>/dev/null; then
    return 0
  fi
  [[ -f "$file" ]] || return 0
  [[ "$_intercore_ms" -ne 0 ]] || return 1
  before=$(_intercore_reference $((_intercore_ms / 1000))) || return 0
  [[ ! "$file" -nt "$before" ]] || code=1
  rmdir -- "$before" 2>/dev/null || :
  [[ "$code" -eq 1 ]] || touch -- "$file" 2>/dev/null || :
  return "$code"
}

# Whether a word can be the name of a lock, which is the name of a directory.
_intercore_is_lock_name() {
  local LC_ALL=C
  case "$1" in
    '' | . | *..* | */* | *\\* | *[[:cntrl:]]*) return 1 ;;
  esac
  [[ ${#1} -le 255 ]]
}

_intercore_mkdir_lock() {
  local drawer="${INTERCORE_LOCK_DIR:-/tmp/intercore/locks}/$1" waited=0 now
  if ! { _intercore_is_lock_name "$1" && _intercore_is_lock_name "$2" && _intercore_duration "$3"; }; then
    printf '%s\n' "ic: lock acquire: invalid name, scope or timeout" >&2
    return 3
  fi
  _intercore_owner
  _intercore_find_space
  (umask 077 && mkdir -p -- "$drawer") || return 2
  until (umask 077 && mkdir -- "$drawer/$2") 2>/dev/null; do
    [[ -w "$drawer" ]] || return 2
    [[ "$waited" -lt "$_intercore_ms" ]] || return 1
    # Fractions of a second are not known to every sleep.
    if sleep 0.1 2>/dev/null; then
      waited=$((waited + 100))
    else
      sleep 1
      waited=$((waited + 1000))
    fi
  done
  now=$(_intercore_now) || now=0
  # Complete before it has its name: nobody reads half of it.
  if (
    umask 077 &&
      printf '{"pid":%d,"host":"%s","owner":"%s","created":%d,"pid_namespace":"%s"}\n' \
        "$$" "${_intercore_me#*:}" "$_intercore_me" "$now" "$_intercore_space" \
        >|"$drawer/$2/..owner-$$" &&
      mv -f -- "$drawer/$2/..owner-$$" "$drawer/$2/owner.json"
  ) 2>/dev/null; then
    return 0
  fi
  rm -f -- "$drawer/$2/..owner-$$" 2>/dev/null || :
  rmdir -- "$drawer/$2" 2>/dev/null || :
  return 2
}

# Releases the lock at a path if its owner file names this shell.
_intercore_mkdir_unlock() {
  local record=''
  { IFS='' read -r record <"$1/owner.json"; } 2>/dev/null || [[ -n "$record" ]] || return 1
  case "$record" in
    *"\"owner\":\"$_intercore_me\""*) ;;
    *) return 1 ;;
  esac
  # The same pid in another namespace is another shell.
  _intercore_find_space
  case "$record" in
    *"\"pid_namespace\":\"$_intercore_space\""*) ;;
    *'"pid_namespace":'*) return 1 ;;
  esac
  rm -f -- "$1/owner.json" 2>/dev/null && rmdir -- "$1" 2>/dev/null
}

# Whether the record of a lock names a process of this machine, and of this PID namespace, that is gone.
_intercore_is_gone() {
  local space='"pid_namespace": *"([^"]*)"'
  local pid='"pid": *([0-9]{1,9})' host='"host": *"([^"]*)"' here="${_intercore_me#*:}" code=0
  [[ "$1" =~ $host && "${BASH_REMATCH[1]%%.*}" = "${here%%.*}" ]] || return 1
  if [[ "$1" =~ $space ]]; then
    [[ "${BASH_REMATCH[1]}" = "$_intercore_space" && "$_intercore_space" != *'?' ]] || return 1
  fi
  [[ "$1" =~ $pid ]] || return 1
  pid=${BASH_REMATCH[1]}
  ! kill -0 "$pid" 2>/dev/null || return 1
  # What may not be signalled is alive all the same.
  if [[ -d "/proc/$$" ]]; then
    [[ ! -d "/proc/$pid" ]]
  else
    ps -p "$pid" >/dev/null 2>&1 || code=$?
    [[ "$code" -eq 1 ]]
  fi
}

_intercore_mkdir_clean() {
  local before
  if ! _intercore_duration "$1"; then
    printf '%s\n' "ic: lock clean: invalid duration" >&2
    return 0
  fi
  _intercore_owner
  _intercore_find_space
  before=$(_intercore_reference $((_intercore_ms / 1000))) || return 0
  (
    _intercore_globbing
    shopt -s dotglob
    for lock in "${INTERCORE_LOCK_DIR:-/tmp/intercore/locks}"/*/*; do
      [[ -d "$lock" && ! -L "$lock" && ! "$lock" -nt "$before" ]] || continue
      record=''
      if [[ -e "$lock/owner.json" ]]; then
        { read -r record <"$lock/owner.json"; } 2>/dev/null
        _intercore_is_gone "$record" || continue
      fi
      rm -f -- "$lock/owner.json" 2>/dev/null
      rmdir -- "$lock" 2>/dev/null
    done
  )
  rmdir -- "$before" 2>/dev/null || :
}
