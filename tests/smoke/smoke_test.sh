#!/bin/bash
# Takes one job of one task through a running coordinator, as a SPOT and as its client would.
#
#   BASE  where the coordinator is (http://localhost:8080)
#   KEY   the agent key, where one is set (then the steps of the SPOT are also tried without it)
#
# Every step prints what was answered and each criterion that does not hold; any of those makes the
# exit code 1. It may run again and again on one coordinator, best on one whose queue is empty.
set -uo pipefail

BASE=${BASE:-http://localhost:8080}
KEY=${KEY:-}
failures=0

# --- asking ---------------------------------------------------------------------------------

# ask METHOD PATH [BODY] [with-key]: sets $status and $answer. The key goes to curl through a file
# descriptor, since every user of the machine may read its arguments.
ask() {
    local response
    local arguments=(--silent --show-error --max-time 20 --request "$1" --write-out '\n%{http_code}')
    [[ -n "${3:-}" ]] && arguments+=(--header 'Content-Type: application/json' --data "$3")
    response=$(curl "${arguments[@]}" --config <(credential "${4:-}") "$BASE$2") || true
    status=${response##*$'\n'}
    answer=${response%$'\n'*}
    printf '%s\n' "$answer"
}

credential() {
    [[ "$1" != with-key || -z "$KEY" ]] || printf 'header = "X-Orhestra-Key: %s"\n' "$KEY"
}

# field NAME...: what stands in the answer under these names and numbers, one within the other;
# a text as it is, anything else as JSON, and nothing where there is nothing.
if command -v jq >/dev/null; then
    field() {
        jq --raw-output --compact-output --args \
            'try getpath($ARGS.positional | map(tonumber? // .)) catch null | select(. != null)' \
            "$@" <<<"$answer" 2>/dev/null
    }
else
    field() {
        python3 -c '
import json, sys
try:
    found = json.load(sys.stdin)
    for name in sys.argv[1:]:
        found = found[int(name) if isinstance(found, list) else name]
except (ValueError, LookupError, TypeError):
    found = None
if found is not None:
    print(found if isinstance(found, str) else json.dumps(found, separators=(",", ":")))
' "$@" <<<"$answer"
    }
fi

# --- judging --------------------------------------------------------------------------------

step() { printf '\n== %s\n' "$*"; }

wrong() {
    printf 'FAILED: %s\n' "$*"
    failures=$((failures + 1))
}

is() { # WHAT FOUND WANTED
    [[ "$2" == "$3" ]] || wrong "$1 is '$2', not '$3'"
}

fits() { # WHAT FOUND PATTERN
    [[ "$2" =~ ^($3)$ ]] || wrong "$1 is '$2', which is not like $3"
}

number='-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?'
count='[0-9]+'
moment='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z'

# needs_key STEP METHOD PATH BODY: the coordinator must not do this for somebody without the key.
needs_key() {
    [[ -n "$KEY" ]] || return 0
    ask "$2" "$3" "$4" >/dev/null
    is "$1 without the key: status" "$status" 401
}

# same_number WHAT FOUND WANTED: 4 and 4.0 are one number, 0.001 and 1e-3 too.
same_number() {
    if ! [[ "$2" =~ ^$number$ ]] || ! awk -v a="$2" -v b="$3" 'BEGIN { exit !(a + 0 == b + 0) }'; then
        wrong "$1 is '$2', not $3"
    fi
}

# --- the nine steps -------------------------------------------------------------------------

step "1. Health"
ask GET /api/v1/health
if [[ "$status" == 000 ]]; then
    echo "FAILED: no coordinator answers at $BASE"
    exit 1
fi
is "status" "$status" 200
is "health" "$(field status)" healthy
is "the database" "$(field database)" connected
for name in activeSpots pendingTasks runningTasks; do
    fits "$name" "$(field $name)" "$count"
done
waiting=$(field pendingTasks)

step "2. A job of one task"
ask POST /api/v1/jobs '{
    "jarPath": "/opt/experiments/optimizer.jar",
    "mainClass": "com.example.Optimizer",
    "algorithms": ["PSO"],
    "iterations": {"min": 100, "max": 100, "step": 100},
    "agents": {"min": 10, "max": 10, "step": 10},
    "dimension": {"min": 2, "max": 2, "step": 1}
}'
is "status" "$status" 201
is "success" "$(field success)" true
is "totalTasks" "$(field totalTasks)" 1
job=$(field jobId)
fits "jobId" "$job" '.+'
[[ "$job" != null ]] || wrong "jobId is the word null"

step "3. A SPOT says hello"
hello='{"ipAddress": "127.0.0.1"}'
needs_key "hello" POST /internal/v1/hello "$hello"
ask POST /internal/v1/hello "$hello" with-key
is "status" "$status" 200
spot=$(field spotId)
fits "spotId" "$spot" '.+'

step "4. Its heartbeat"
beat='{"spotId": "'$spot'", "ipAddress": "127.0.0.1", "cpuLoad": 10.5, "runningTasks": 0, "totalCores": 4}'
needs_key "heartbeat" POST /internal/v1/heartbeat "$beat"
ask POST /internal/v1/heartbeat "$beat" with-key
is "status" "$status" 200
is "success" "$(field success)" true

step "5. It claims"
claim='{"spotId": "'$spot'", "maxTasks": 10}'
needs_key "claim" POST /internal/v1/tasks/claim "$claim"
ask POST /internal/v1/tasks/claim "$claim" with-key
is "status" "$status" 200
task='' payload='' others=()
for place in {0..9}; do
    id=$(field tasks "$place" id)
    if [[ -z "$id" ]]; then
        break
    elif [[ -z "$task" && "$(field tasks "$place" jobId)" == "$job" ]]; then
        task=$id
        payload=$(field tasks "$place" payload)
    else
        others+=("$id")
    fi
done
if [[ -z "$task" ]]; then
    wrong "the task of $job is not among the claimed ones ($waiting tasks were waiting before it)"
else
    claimed=$answer
    answer=$payload # a text with JSON in it
    is "alg in the payload" "$(field alg)" PSO
    is "iterations in the payload" "$(field iterations)" 100
    answer=$claimed
fi
for id in "${others[@]}"; do
    echo "Giving back $id, which is not of this test."
    ask POST "/internal/v1/tasks/$id/fail" \
        '{"spotId": "'"$spot"'", "error": "claimed by the smoke test", "retriable": true}' with-key
done

step "6. It completes the task"
report='{"spotId": "'$spot'", "runtimeMs": 1234, "iter": 100, "fopt": 0.001, "resultJson": "{\"done\":true}"}'
needs_key "complete" POST "/internal/v1/tasks/$task/complete" "$report"
ask POST "/internal/v1/tasks/$task/complete" "$report" with-key
is "status" "$status" 200
is "success" "$(field success)" true
is "message" "$(field message)" ''

step "7. The job"
ask GET "/api/v1/jobs/$job"
is "status" "$status" 200
is "id" "$(field id)" "$job"
is "the job's status" "$(field status)" COMPLETED
is "totalTasks" "$(field totalTasks)" 1
is "completedTasks" "$(field completedTasks)" 1
is "failedTasks" "$(field failedTasks)" 0
fits "createdAt" "$(field createdAt)" "$moment"

step "8. Its results"
ask GET "/api/v1/jobs/$job/results"
is "status" "$status" 200
is "totalCompleted" "$(field totalCompleted)" 1
is "taskId" "$(field results 0 taskId)" "$task"
is "algorithm" "$(field results 0 algorithm)" PSO
is "iterations" "$(field results 0 iterations)" 100
same_number "fopt" "$(field results 0 fopt)" 0.001
is "runtimeMs" "$(field results 0 runtimeMs)" 1234
fits "finishedAt" "$(field results 0 finishedAt)" "$moment"

step "9. The SPOTs"
ask GET /api/v1/spots
is "status" "$status" 200
place=0
while [[ -n "$(field spots $place)" && "$(field spots $place id)" != "$spot" ]]; do
    place=$((place + 1))
done
is "id" "$(field spots $place id)" "$spot"
is "ipAddress" "$(field spots $place ipAddress)" 127.0.0.1
is "the SPOT's status" "$(field spots $place status)" UP
same_number "cpuLoad" "$(field spots $place cpuLoad)" 10.5
is "runningTasks" "$(field spots $place runningTasks)" 0
is "totalCores" "$(field spots $place totalCores)" 4
fits "lastHeartbeat" "$(field spots $place lastHeartbeat)" "$moment"

echo
if ((failures)); then
    echo "$failures of the criteria do not hold."
    exit 1
fi
echo "All nine steps are as they should be."
