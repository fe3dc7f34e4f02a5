#!/usr/bin/env bash
# Black-box tests of `ic` and of lib-intercore.sh: nothing but a shell and the binary.
#
#   ./test-integration.sh                       # the newest build beside this file, else the ic in PATH
#   IC=/usr/local/bin/ic ./test-integration.sh  # an installed one
#
# Prints a line for each check and a count at the end; the exit code is 1 if a check failed, 2 if nothing could be tested.
# Everything happens in a scratch directory, which is removed.
#
# Code for other shells stands in single quotes, and only names that are made here are listed with ls:
# shellcheck disable=SC2012,SC2016
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 2

# --- which ic -----------------------------------------------------------------------------------------------------------

newest=
for built in "${CARGO_TARGET_DIR:-$here/target}"/{,*/}{release,debug}/ic; do
  if [[ -x "$built" && (-z "$newest" || "$built" -nt "$newest") ]]; then
    newest=$built
  fi
done
IC=${IC:-${newest:-$(type -P ic)}}
if [[ ! -x "$IC" ]]; then
  echo "no ic to test: build one with 'cargo build', or name one with IC=/path/to/ic" >&2
  exit 2
fi
IC=$(cd "$(dirname "$IC")" && pwd)/$(basename "$IC")

# --- a world of its own -------------------------------------------------------------------------------------------------

scratch=$(mktemp -d "${TMPDIR:-/tmp}/ic-integration.XXXXXX") || exit 2
scratch=$(cd "$scratch" && pwd -P) || exit 2
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for name in $(compgen -e); do
  case "$name" in
    INTERCORE_* | IC_* | CLAUDE_* | CLAVAIN_* | GIT_*) unset "$name" ;;
  esac
done
export HOME="$scratch/home" TMPDIR="$scratch/tmp" INTERCORE_LOCK_DIR="$scratch/locks" INTERCORE_LEGACY_DIR="$scratch/legacy"
export IC_LOG_LEVEL=error GIT_CONFIG_GLOBAL="$HOME/gitconfig" GIT_CONFIG_SYSTEM="$HOME/gitconfig-system"
mkdir "$HOME" "$TMPDIR" "$INTERCORE_LEGACY_DIR" "$scratch/nothing" "$scratch/bin"
# An ic in PATH, and only this one.
ln -s "$IC" "$scratch/bin/ic"
PATH="$scratch/bin:$PATH"

# --- checks -------------------------------------------------------------------------------------------------------------

passed=0
failed=0

pass() {
  passed=$((passed + 1))
  printf 'PASS: %s\n' "$1"
}

fail() {
  failed=$((failed + 1))
  printf 'FAIL: %s\n' "$1"
  shift
  [[ $# -eq 0 ]] || printf '      %s\n' "$@"
}

section() { printf '\n=== %s ===\n' "$1"; }

# is WHAT EXPECTED FOUND
is() {
  if [[ "$2" == "$3" ]]; then pass "$1"; else fail "$1" "expected: $2" "found:    $3"; fi
}

# has WHAT PART FOUND
has() {
  case "$3" in
    *"$2"*) pass "$1" ;;
    *) fail "$1" "expected to find: $2" "in: $3" ;;
  esac
}

# hasnt WHAT PART FOUND
hasnt() {
  case "$3" in
    *"$2"*) fail "$1" "expected not to find: $2" "in: $3" ;;
    *) pass "$1" ;;
  esac
}

# ends WHAT CODE COMMAND…: how it ends, whatever it prints
ends() {
  local what="$1" expected="$2" output code=0
  shift 2
  output=$("$@" 2>&1) || code=$?
  if [[ "$code" -eq "$expected" ]]; then pass "$what"; else fail "$what" "expected exit code $expected, found $code" "$output"; fi
}

# silent WHAT CODE COMMAND…: how it ends, and that nothing is on stdout
silent() {
  local what="$1" expected="$2" output code=0
  shift 2
  output=$("$@" 2>/dev/null) || code=$?
  is "$what" "$expected:" "$code:$output"
}

# lines TEXT: how many there are
lines() {
  if [[ -z "$1" ]]; then echo 0; else printf '%s\n' "$1" | wc -l | tr -d ' '; fi
}

# project NAME: a new project with a database, and into it
project() {
  mkdir "$scratch/$1" && cd "$scratch/$1" && ic init >/dev/null
}

short='["a","b","c","d"]'

# --- the binary ---------------------------------------------------------------------------------------------------------

section "Init, Health, Version"
mkdir "$scratch/fresh" && cd "$scratch/fresh" || exit 2
ends "health without a database is an error" 2 ic health
is "and creates nothing" "" "$(ls -A)"
has "init says where the database is" "initialized $scratch/fresh/.clavain/intercore.db (schema v" "$(ic init)"
is "health says ok" "ok" "$(ic health)"
ends "init again is fine" 0 ic init
is "the database is private" "drwx------ -rw-------" \
  "$(ls -ld .clavain .clavain/intercore.db | cut -c 1-10 | tr '\n' ' ' | sed 's/ $//')"
mkdir -p deep/er
is "the database is found upwards" "ok" "$(cd deep/er && ic health)"
has "version names the schema" "schema: v" "$(ic version)"
ends "an unknown command is a usage error" 3 ic nonsense
ends "an unknown flag is a usage error" 3 ic run list --nonsense
ends "--db must not lead out of the directory" 2 ic health --db=../other.db
ends "help is not an error" 0 ic --help

section "State"
project state
echo '{"step": 1}' | ic state set sprint.checkpoint s1
is "a value is kept as it was written" '{"step": 1}' "$(ic state get sprint.checkpoint s1)"
printf 'two\n  words' | ic state set note
is "text is kept as it is" "$(printf 'two\n  words')" "$(ic state get note)"
echo '[2]' | ic state set sprint.checkpoint s2
is "scopes are listed" "s1 s2" "$(ic state list sprint.checkpoint | tr '\n' ' ' | sed 's/ $//')"
silent "a missing value exits 1" 1 ic state get sprint.checkpoint s9
is "a value is removed" "deleted" "$(ic state delete sprint.checkpoint s1)"
is "removing it again is not an error" "not found" "$(ic state delete sprint.checkpoint s1)"
not_json() { echo '{broken' | ic state set k s --strict-json; }
secret() { echo '{"password":"hunter2hunter2"}' | ic state set k s; }
ends "what is no JSON is refused where only JSON is wanted" 2 not_json
ends "a secret is refused" 2 secret
hasnt "and not repeated" "hunter2" "$(secret 2>&1)"

section "Sentinels"
project sentinels
ends "the first check is allowed" 0 ic sentinel check stop s1 --interval=0
ends "the second is throttled" 1 ic sentinel check stop s1 --interval=0
ends "another scope is allowed" 0 ic sentinel check stop s2 --interval=0
ends "a negative interval is refused" 3 ic sentinel check stop s1 --interval=-1
is "a sentinel is reset" "reset" "$(ic sentinel reset stop s1)"
ends "and may fire again" 0 ic sentinel check stop s1 --interval=60s
for n in 1 2 3 4 5 6 7 8 9 10; do
  ic sentinel check once s --interval=0 >"answer.$n" 2>&1 &
done
wait
is "of ten at once one is allowed" "1" "$(cat answer.* | grep -c allowed)"

section "Locks"
cd "$scratch/nothing" || exit 2
ends "a lock needs no database" 0 ic lock acquire deploy p --owner=me
ends "somebody else does not get it" 1 ic lock acquire deploy p --owner=you --timeout=50ms
has "it is listed" "deploy	p	me" "$(ic lock list)"
ends "somebody else cannot release it" 1 ic lock release deploy p --owner=you
ends "its owner can" 0 ic lock release deploy p --owner=me
ends "a name that is a path is refused" 3 ic lock acquire ../../x p
is "and nothing is created" "" "$(ls -A "$scratch/nothing")"

section "Run Lifecycle"
project lifecycle
run=$(ic run create --goal='Ship it' --phases="$short")
is "a run starts in its first phase" "a" "$(ic run phase "$run")"
has "its status knows the goal" '"goal":"Ship it"' "$(ic run status "$run" --json)"
ends "a run needs a goal" 3 ic run create
is "it advances" "a → b" "$(ic run advance "$run" --priority=4)"
ends "a caller that comes late is told so" 1 ic run advance "$run" --expect-phase=a
is "and nothing moves" "b" "$(ic run phase "$run")"
first=$(ic run create --goal=once --idempotency-key=k1)
is "a repeat under one key is the same run" "$first" "$(ic run create --goal=once --idempotency-key=k1)"
ends "other arguments under the key are refused" 1 ic run create --goal=other --idempotency-key=k1
ends "an unknown run is the expected negative" 1 ic run status nosuchid
ends "a run is called off" 0 ic run cancel "$run"
ends "and does not move any more" 1 ic run advance "$run"
racer=$(ic run create --goal=race --phases="$short")
for n in 1 2 3 4 5 6 7 8; do
  ic run advance "$racer" --expect-phase=a --priority=4 --json >"step.$n" 2>/dev/null &
done
wait
is "of eight at once one advances" "1" "$(cat step.* | grep -c '"advanced":true')"
is "by one phase" "b" "$(ic run phase "$racer")"

section "Run Current"
project current
ends "without an active run the exit code is 1" 1 ic run current
is "and nothing is printed" "" "$(ic run current)"
has "in JSON it says so" '"found":false' "$(ic run current --json)"
one=$(ic run create --goal=one)
is "it finds the active run" "$one" "$(ic run current)"
two=$(ic run create --goal=two)
is "of several active runs it finds the newest" "$two" "$(ic run current)"
is "in JSON with its phase" "1" "$(ic run current --json | grep -c "\"id\":\"$two\",\"phase\":\"brainstorm\"")"
is "the project may be named" "$two" "$(cd / && INTERCORE_DB="$scratch/current/.clavain/intercore.db" ic run current --project="$scratch/current/")"
ends "another project has none" 1 ic run current --project="$scratch/nothing"
ic run cancel "$two" >/dev/null
is "a cancelled run is not current" "$one" "$(ic run current)"
ic run cancel "$one" >/dev/null
ends "with the last run gone the exit code is 1 again" 1 ic run current

section "Run Agents"
project agents
run=$(ic run create --goal=agents --phases="$short")
agent=$(ic run agent add "$run" --type=claude --name=builder)
is "an added agent is in the list" "$agent	claude	active	builder" "$(ic run agent list "$run")"
is "its status changes" "updated" "$(ic run agent update "$agent" --status=completed)"
is "and the list shows it" "$agent	claude	completed	builder" "$(ic run agent list "$run")"
is "the run may be named too" "updated" "$(ic run agent update "$run" "$agent" --status=failed)"
has "in JSON as well" '"status":"failed"' "$(ic run agent list "$run" --json)"
ic run agent add "$run" --type=codex --name=second >/dev/null
ic run agent add "$run" >/dev/null
is "the list has all of them" "3" "$(lines "$(ic run agent list "$run")")"
is "the top-level noun is the same command" "$(ic run agent list "$run")" "$(ic agent list "$run")"
other=$(ic run create --goal=other --phases="$short")
is "another run has none" "0" "$(lines "$(ic run agent list "$other")")"
ends "an agent of an unknown run is refused" 1 ic run agent add nosuchid --type=claude
ends "so is the list of one" 1 ic run agent list nosuchid
ends "an unknown agent is the expected negative" 1 ic run agent update nosuchid --status=completed
has "with an error of its own" '"agent_not_found"' "$(ic run agent update nosuchid --status=completed --json 2>&1)"
ends "an agent of another run is not found" 1 ic run agent update "$other" "$agent" --status=completed
ends "an unknown status is a usage error" 3 ic run agent update "$agent" --status=tired

section "Run Artifacts"
project artifacts
run=$(ic run create --goal=artifacts --phases="$short")
printf 'plan\n' >plan.md
plan=$(ic run artifact add "$run" --phase=a --path=plan.md --type=plan)
is "an added artifact is in the list" "$plan	a	plan	plan.md" "$(ic run artifact list "$run")"
has "with the hash of its content" \
  'sha256:' "$(ic run artifact list "$run" --json | sed 's/"content_hash":"\([0-9a-f]\{64\}\)"/sha256:\1/')"
notes=$(ic run artifact add "$run" --phase=b --path=notes.md 2>/dev/null)
more=$(ic run artifact add "$run" --phase=b --path=more.md 2>/dev/null)
is "a file need not be there" "$notes	b	file	notes.md" "$(ic run artifact list "$run" --phase=b | sed -n 1p)"
is "one phase has its own" "$notes $more" "$(ic run artifact list "$run" --phase=b | cut -f 1 | tr '\n' ' ' | sed 's/ $//')"
is "the other has its own" "$plan" "$(ic run artifact list "$run" --phase=a | cut -f 1)"
is "without a phase all are listed" "$plan $notes $more" "$(ic run artifact list "$run" | cut -f 1 | tr '\n' ' ' | sed 's/ $//')"
is "a phase without any has none" "0" "$(lines "$(ic run artifact list "$run" --phase=c)")"
is "the top-level noun is the same command" "$(ic run artifact list "$run")" "$(ic artifact list "$run")"
ends "an artifact of an unknown run is refused" 1 ic run artifact add nosuchid --phase=a --path=x
ends "so is the list of one" 1 ic run artifact list nosuchid
ends "an artifact needs a path" 3 ic run artifact add "$run" --phase=a

section "Gates"
project gates
run=$(ic run create --goal=gates)
ends "a gate that is not met is shut" 1 ic gate check "$run"
ends "and blocks an advance" 1 ic run advance "$run"
is "which leaves the run where it was" "brainstorm" "$(ic run phase "$run")"
has "the refusal is on record" "brainstorm → brainstorm-reviewed	block" "$(ic run events "$run")"
ic artifact add "$run" --phase=brainstorm --path=idea.md >/dev/null 2>&1
ends "once it is met it is open" 0 ic gate check "$run"
ends "an override needs a reason" 3 ic gate override "$run"
has "and says what it did" "brainstorm → brainstorm-reviewed" "$(ic gate override "$run" --reason='agreed' --justified)"

section "Skip, Rollback, Undo"
project rollback
run=$(ic run create --goal=back --phases="$short")
ends "a phase is skipped" 0 ic run skip "$run" b --reason='not needed'
is "and walked past" "a → c" "$(ic run advance "$run" --priority=4)"
agent=$(ic agent add "$run" --name=worker)
has "a dry run tells what would happen" '"failed_agents": 1' "$(ic run rollback "$run" --to-phase=a --dry-run)"
is "and changes nothing" "c" "$(ic run phase "$run")"
event=$(ic run rollback "$run" --to-phase=a --reason='wrong way' | sed -n 's/.*"event_id": \([0-9]*\).*/\1/p')
is "a rollback moves the run" "a" "$(ic run phase "$run")"
is "and fails the agents of what is undone" "$agent	claude	failed	worker" "$(ic agent list "$run")"
ends "a rollback forwards is refused" 1 ic run rollback "$run" --to-phase=d
ends "it can be undone" 0 ic run rollback --undo="$event"
is "completely" "c $agent	claude	active	worker" "$(ic run phase "$run") $(ic agent list "$run")"

section "Actions, Dispatches, Tokens, Budget"
project tokens
run=$(ic run create --goal=tokens --phases="$short" --token-budget=1000)
has "an action is registered" '"id":' "$(ic run action add "$run" --phase=b --command=/work --args='["x y"]' --json)"
ends "once" 1 ic run action add "$run" --phase=b --command=/work
has "and due when the run enters its phase" '"command":"/work"' "$(ic run advance "$run" --priority=4 --json)"
dispatch=$(ic dispatch record --run="$run" --name=w | tail -n 1)
has "a dispatch is active" "$dispatch	spawned" "$(ic dispatch list --active)"
is "its tokens are set" "updated" "$(ic dispatch tokens "$dispatch" --in=300 --out=200 2>/dev/null)"
has "and count for the run" '"total_tokens":500' "$(ic run tokens "$run" --json)"
ends "within the budget" 0 ic run budget "$run"
ic dispatch tokens "$dispatch" --in=900 --out=200 >/dev/null 2>&1
ends "beyond it the exit code is 1" 1 ic run budget "$run"
ends "every time" 1 ic run budget "$run"

section "Events"
project events
run=$(ic run create --goal=events --phases="$short")
ic agent add "$run" --name='tab	and
newline' >/dev/null
is "each event is a line" "2" "$(lines "$(ic events tail --all)")"
is "from a number on" "1" "$(lines "$(ic events tail --all --since=1)")"
is "of one source" "1" "$(lines "$(ic events tail "$run" --source=agent)")"
ends "an unknown run is the expected negative" 1 ic events tail nosuchid
has "the chain verifies" "ok: 2 events" "$(ic events verify)"

# --- the wrappers -------------------------------------------------------------------------------------------------------
#
# Each block is a shell of its own, as a hook is: sourced under the strictest options, or under none.

library=$here/lib-intercore.sh

# with CODE-OF-A-SHELL [ARGUMENT…]: runs it with the wrappers sourced
with() {
  local code="$1"
  shift
  "$BASH" -c '. "$1"; shift; '"$code" with "$library" "$@"
}

# strict CODE-OF-A-SHELL [ARGUMENT…]: the same under set -euo pipefail
strict() {
  local code="$1"
  shift
  "$BASH" -c 'set -euo pipefail; . "$1"; . "$1"; shift; '"$code" strict "$library" "$@"
}

section "Wrappers: Basics"
project wrappers
is "the version is 2" "2" "$(with 'echo "$INTERCORE_WRAPPER_VERSION"')"
is "sourcing prints nothing" "" "$(strict ':' 2>&1)"
ends "with a database ic is available" 0 strict intercore_available
is "and named from then on" "$scratch/bin/ic" "$(with 'intercore_available && echo "$INTERCORE_BIN"')"
ends "without one it is not" 1 with 'cd "$1"; intercore_available' "$scratch/nothing"
is "which is said on stderr, once a call" "1" "$(with 'cd "$1"; intercore_available' "$scratch/nothing" 2>&1 | wc -l | tr -d ' ')"

section "Wrappers: State and Sentinels"
is "a value goes in and comes out" '{"a": "b c"}' \
  "$(strict 'intercore_state_set k s "$1"; intercore_state_get k s' '{"a": "b c"}')"
silent "a missing value is empty, and no error" 0 strict 'intercore_state_get k nowhere'
is "a value that is no JSON is kept as it is" " {" "$(strict 'intercore_state_set text s " {"; intercore_state_get text s')"
silent "no value is not stored, and no error" 0 strict 'intercore_state_set bad s ""; intercore_state_get bad s'
is "a key is forgotten in every scope" "deleted deleted" \
  "$(strict 'intercore_state_set k s2 1; intercore_state_delete_all k ""' | tr '\n' ' ' | sed 's/ $//')"
silent "a sentinel allows" 0 strict 'intercore_sentinel_check w s 0'
silent "and throttles" 1 strict 'intercore_sentinel_check w s 0'
silent "an interval that is none is refused" 3 strict 'intercore_sentinel_check w s soon'
silent "check_or_die goes on when allowed" 7 strict 'intercore_check_or_die cd s 0 "$1"; exit 7' "$scratch/legacy/cd"
silent "and ends the shell with 0 when throttled" 0 strict 'intercore_check_or_die cd s 0 "$1"; exit 7' "$scratch/legacy/cd"
is "without a look at the file" "" "$(ls -A "$scratch/legacy")"
silent "a reset allows again" 0 strict 'intercore_sentinel_reset_or_legacy w s ""; intercore_sentinel_check w s 0'
silent "so does a reset of all scopes" 0 strict 'intercore_sentinel_reset_all w ""; intercore_sentinel_check w s 0'
silent "stale sentinels are cleaned up" 0 strict intercore_cleanup_stale

section "Wrappers: Runs"
silent "without a run there is no current one" 1 strict intercore_run_current
run=$(ic run create --goal=wrapped --phases="$short" --token-budget=1000)
is "the current run" "$run" "$(strict intercore_run_current)"
made=$(strict 'intercore_run_create "" "my goal" "$1" "a scope" 2 500 "{\"b\":{\"command\":\"/work\"}}"' "$short")
has "a run is made" '"goal":"my goal"' "$(strict 'intercore_run_status "$1"' "$made")"
has "with a budget" '"token_budget":500' "$(strict 'intercore_run_status "$1"' "$made")"
has "and listed" "\"id\":\"$made\"" "$(strict 'intercore_run_list --active --scope="a scope"')"
is "nothing else is" "[]" "$(strict 'intercore_run_list --scope=none')"
silent "a bad chain makes none" 3 strict 'intercore_run_create "" g "[]"'
silent "an unknown run has no status" 1 strict 'intercore_run_status nosuchid'
ic run cancel "$made" >/dev/null
is "of a project that is named" "$run" "$(strict 'intercore_run_current "$1"' "$scratch/wrappers")"
is "its phase" "a" "$(strict 'intercore_run_phase "$1"' "$run")"
silent "an unknown run has none" 1 strict 'intercore_run_phase nosuchid'
agent=$(strict 'intercore_run_agent_add "$1" claude "my agent"' "$run")
is "an agent" "$agent	claude	active	my agent" "$(ic agent list "$run")"
has "is listed as JSON" "\"id\":\"$agent\"" "$(strict 'intercore_run_agent_list "$1"' "$run")"
silent "is done" 0 strict 'intercore_run_agent_update "$1" completed' "$agent"
has "which shows" '"status":"completed"' "$(strict 'intercore_run_agent_list "$1"' "$run")"
silent "an agent that is not there" 1 strict 'intercore_run_agent_update nosuchid failed'
silent "a status that is none" 3 strict 'intercore_run_agent_update "$1" odd' "$agent"
artifact=$(strict 'intercore_run_artifact_add "$1" a "with space.md"' "$run")
is "an artifact" "$artifact	a	file	with space.md" "$(ic artifact list "$run")"
silent "an artifact of an unknown run" 1 strict 'intercore_run_artifact_add nosuchid a x'
has "an action" '{"id":' "$(strict 'intercore_run_action_add "$1" c /work both "[1]"' "$run")"
has "is listed" '"args":[1]' "$(strict 'intercore_run_action_list "$1" c' "$run")"
silent "is changed" 0 strict 'intercore_run_action_update "$1" c /work --priority=3 --args="{\"x\": 2}"' "$run"
has "which shows" '"priority":3' "$(strict 'intercore_run_action_list "$1"' "$run")"
silent "is removed" 0 strict 'intercore_run_action_delete "$1" c /work' "$run"
is "and gone" "[]" "$(strict 'intercore_run_action_list "$1"' "$run")"
silent "a skip" 0 strict 'intercore_run_skip "$1" b "not needed" tester' "$run"
has "an advance" '"to_phase":"c"' "$(strict 'intercore_run_advance "$1" 4' "$run")"
has "what a rollback would do" '"dry_run": true' "$(strict 'intercore_run_rollback_dry "$1" a' "$run")"
has "its files" '"path": "with space.md"' "$(strict 'intercore_run_code_rollback "$1" a' "$run")"
has "a rollback" '"reason": "two words"' "$(strict 'intercore_run_rollback "$1" a "two words"' "$run")"
dispatch=$(ic dispatch record --run="$run" --name=w | tail -n 1)
has "a dispatch" "\"id\":\"$dispatch\"" "$(strict 'intercore_dispatch_status "$1"' "$dispatch")"
has "active ones" "$dispatch	spawned" "$(strict intercore_dispatch_list_active)"
is "its tokens" "updated" "$(strict 'intercore_dispatch_tokens "$1" 300 200 10' "$dispatch")"
has "of the run" '"total_tokens":500' "$(strict 'intercore_run_tokens "$1"' "$run")"
silent "a budget that holds" 0 strict 'intercore_run_budget "$1" >/dev/null' "$run"
strict 'intercore_dispatch_tokens "$1" 900 200' "$dispatch" >/dev/null
silent "a budget that is used up" 1 strict 'intercore_run_budget "$1" >/dev/null' "$run"
printf 'echo "$@"\n' >start.sh
printf 'do it\n' >prompt.md
child=$(CLAVAIN_DISPATCH_SH=$PWD/start.sh strict 'intercore_dispatch_spawn codex "$PWD" prompt.md "" tester')
silent "a child that ends well" 0 strict 'intercore_dispatch_wait "$1" 1m' "$child"
has "what it was told" "-n tester" "$(ic dispatch logs "$child")"
printf 'sleep 600\n' >start.sh
child=$(CLAVAIN_DISPATCH_SH=$PWD/start.sh strict 'intercore_dispatch_spawn codex "$PWD" prompt.md')
silent "a child that is killed" 0 strict 'intercore_dispatch_kill "$1"' "$child"
has "its record" '"status":"cancelled"' "$(strict 'intercore_dispatch_status "$1"' "$child")"
silent "no such child" 1 strict 'intercore_dispatch_wait nobody00 2>/dev/null'
has "events of a run" '"type":"rollback"' "$(strict 'intercore_events_tail "$1" --source=phase' "$run")"
is "events of all runs" "1" "$(lines "$(strict 'intercore_events_tail_all --limit=1' 2>/dev/null)")"
is "a consumer that is not known" "" "$(strict 'intercore_events_cursor_get "c.1"')"
silent "how far it has read" 0 strict 'intercore_events_cursor_set "c.1" 3 0'
silent "going back is refused" 1 strict 'intercore_events_cursor_set "c.1" 3 2 2>/dev/null'
silent "no number is refused" 3 strict 'intercore_events_cursor_set "c.1" "1,\"coordination\":999" 2'
is "its cursor" '{"position":3,"phase":3,"dispatch":3}' "$(strict 'intercore_events_cursor_get "c.1"')"
is "the cursor of another one" "" "$(strict 'intercore_events_cursor_get cx1')"
has "what it has not read" '"id":4,' "$(strict 'intercore_events_tail_all --consumer=c.1 --limit=1' 2>/dev/null)"
is "it moved" '{"position":4,"phase":4,"dispatch":4}' "$(strict 'intercore_events_cursor_get "c.1"')"
is "forgotten" "reset" "$(strict 'intercore_events_cursor_reset "c.1"')"
is "forgotten already" "not found" "$(strict 'intercore_events_cursor_reset "c.1"')"

lock=$(strict 'intercore_reserve ann . "src/**" 60 parser')
has "a reservation" "	ann	src/**	active	" "$(ic coordination list)"
has "what is in the way" '"blocker_owner":"ann"' "$(strict 'intercore_reserve bob . src/a.c' 2>/dev/null)"
silent "held for longer" 0 strict 'intercore_renew "$1" ann 5m' "$lock"
silent "somebody else's" 1 strict 'intercore_release "$1" bob 2>/dev/null' "$lock"
silent "given back" 0 strict 'intercore_release "$1" ann' "$lock"
silent "free again" 0 strict 'intercore_reserve bob . src/a.c >/dev/null'

section "Wrappers: Gates"
gated=$(ic run create --goal=gated)
silent "a shut gate" 1 strict 'intercore_gate_check "$1"' "$gated"
has "an override" "brainstorm → brainstorm-reviewed" "$(strict 'intercore_gate_override "$1" agreed --justified' "$gated")"
silent "a gate of an unknown run" 1 strict 'intercore_gate_check nosuchid'

section "Wrappers: Locks"
silent "a lock is taken once" 1 strict 'intercore_lock n s 0; intercore_lock n s 0'
silent "and released by its shell" 0 strict 'intercore_lock m s; (intercore_unlock m s); intercore_lock m s 0'
silent "nobody else releases it" 1 strict 'intercore_lock o s; bash -c ". \"\$1\"; intercore_unlock o s" x "$1"; intercore_lock o s 0' "$library"
silent "a name that is a path is refused" 3 strict 'intercore_lock ../escaped s'
silent "and leads to no fallback" 1 test -e "$scratch/escaped"
silent "locks whose shell has ended are cleaned up" 0 strict 'intercore_lock_clean 0s; intercore_lock n s 0'

section "Wrappers: Settings"
other=$scratch/elsewhere/other.db
mkdir "$scratch/elsewhere" && INTERCORE_DB=$other ic init >/dev/null
is "INTERCORE_DB names the database" "2" "$(INTERCORE_DB=$other strict 'intercore_state_set k s 2; intercore_state_get k s')"
is "also when it is not exported" "2" "$(strict 'INTERCORE_DB=$1; cd /; intercore_state_get k s' "$other")"
is "also when it may not be changed" "2" "$(strict 'readonly INTERCORE_DB="$1"; cd /; intercore_state_get k s' "$other")"
is "and not the project's" "" "$(strict 'intercore_state_get k s')"
mkdir "$scratch/with space" && ln -s "$IC" "$scratch/with space/ic"
is "INTERCORE_BIN may have a space" "$gated" "$(INTERCORE_BIN="$scratch/with space/ic" PATH=/usr/bin:/bin strict intercore_run_current)"
ends "INTERCORE_BIN that is not there is no ic" 1 strict 'INTERCORE_BIN=$1/none; intercore_available' "$scratch"

section "Wrappers: Without ic"
# Everything that a system has, and no ic.
plain() {
  PATH=/usr/bin:/bin INTERCORE_BIN="$scratch/nothing/ic" "$@"
}
silent "not available" 1 plain strict intercore_available
silent "no lock program" 1 plain strict intercore_lock_available
silent "a value is not stored, and no error" 0 plain strict 'intercore_state_set k s 1'
silent "a gate is open" 0 plain strict 'intercore_gate_check x'
silent "there is no current run" 1 plain strict intercore_run_current
silent "no run is made" 1 plain strict 'intercore_run_create "" g'
silent "no runs are listed" 1 plain strict 'intercore_run_list'
silent "an advance does not happen" 1 plain strict 'intercore_run_advance x'
silent "there are no events" 0 plain strict 'intercore_events_tail x'
silent "a sentinel allows" 0 plain strict 'intercore_sentinel_check n s 0'
file="$scratch/legacy/clavain-stop-a b"
silent "a file stands in for it: allowed" 0 plain strict 'intercore_sentinel_check_or_legacy n s 0 "$1"' "$file"
silent "throttled" 1 plain strict 'intercore_sentinel_check_or_legacy n s 0 "$1"' "$file"
silent "throttled within the interval" 1 plain strict 'intercore_sentinel_check_or_legacy n s 60 "$1"' "$file"
touch -t 202001010000 "$file"
silent "allowed after it" 0 plain strict 'intercore_sentinel_check_or_legacy n s 60 "$1"' "$file"
silent "and then throttled again" 1 plain strict 'intercore_sentinel_check_or_legacy n s 60 "$1"' "$file"
silent "a reset removes the files" 0 plain strict 'intercore_sentinel_reset_or_legacy n s "$1/clavain-stop-*"' "$scratch/legacy"
is "all of them" "" "$(ls -A "$scratch/legacy")"
touch "$scratch/legacy/clavain-stop-new" "$scratch/legacy/other"
touch -t 202001010000 "$scratch/legacy/clavain-drift-last-old" "$scratch/legacy/other"
silent "old files are cleaned up" 0 plain strict intercore_cleanup_stale
is "and only those" "clavain-stop-new other" "$(ls -A "$scratch/legacy" | tr '\n' ' ' | sed 's/ $//')"
silent "a lock is taken once" 1 plain strict 'intercore_lock f s 0; intercore_lock f s 200ms'
has "ic can read it" "f	s	" "$(ic lock list)"
silent "and released by its shell" 0 plain strict 'intercore_lock g s; (intercore_unlock g s); intercore_lock g s 0'
silent "a name that is a path is refused" 3 plain strict 'intercore_lock ../escaped s'
silent "and nothing is created" 1 test -e "$scratch/escaped"
silent "nobody else releases it" 1 plain strict 'intercore_unlock f s; intercore_lock f s 0'
silent "a lock whose shell has ended is cleaned up" 0 plain strict 'intercore_lock_clean 0; intercore_lock f s 0'
is "nothing is left in the way" "" "$(ls -A "$TMPDIR")"

# --- the count ----------------------------------------------------------------------------------------------------------

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[[ "$failed" -eq 0 ]]
