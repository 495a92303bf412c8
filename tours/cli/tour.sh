#!/usr/bin/env bash
# The tour with the AWS CLI.
set -euo pipefail
cd "$(dirname "$0")/../definitions"

role=arn:aws:iam::000000000000:role/tour
states=arn:aws:states:us-east-1:000000000000
work=$states:activity:work

# sfn OPERATION ARGUMENTS…: the answer as tab-separated text; absent members are "None".
sfn() { aws stepfunctions --output text "$@"; }
# ask QUERY OPERATION ARGUMENTS…: a part of the answer, on one line, its words separated by spaces.
ask() {
    local query=$1
    shift
    sfn "$@" --query "$query" | paste -sd ' ' | tr '\t' ' '
}
short() { echo "${1#"$states:"}"; }
machine() { # NAME DEFINITION QUERY MORE…
    ask "$3" create-state-machine --name "$1" --definition "file://$2.asl.json" --role-arn $role "${@:4}"
}
start() { ask executionArn start-execution --state-machine-arn "$1" --name "$2" --input "$3"; }
show_tags() { echo "tags: $(ask "tags[].join('=', [key, value])" list-tags-for-resource --resource-arn "$1")"; }
show_end() { # EXECUTION QUERY
    until [ "$(ask status describe-execution --execution-arn "$1")" != RUNNING ]; do sleep 0.1; done
    echo "${1##*:}: $(ask "$2" describe-execution --execution-arn "$1")"
}
show_alias() {
    local query="routingConfiguration[].join('=', [stateMachineVersionArn, to_string(weight)])"
    echo "$(short "$1") routes to $(short "$(ask "$query" describe-state-machine-alias --state-machine-alias-arn "$1")")"
}
take() { # sets `token`
    local task
    task=$(sfn get-activity-task --activity-arn $work --worker-name tour --query '[taskToken, input]')
    token=${task%%$'\t'*}
    echo "worker of activity:work took ${task#*$'\t'}"
}

# A state machine, its tags, an execution and its history.
created=$(machine tour pass '[stateMachineArn, stateMachineVersionArn]' --publish --tags key=team,value=a)
tour=${created% *} first_version=${created#* }
echo "created $(short "$tour") and $(short "$first_version")"
show_tags "$tour"
sfn tag-resource --resource-arn "$tour" --tags key=team,value=b key=env,value=dev
show_tags "$tour"
sfn untag-resource --resource-arn "$tour" --tag-keys team
show_tags "$tour"
first=$(start "$tour" first '{}')
echo "started $(short "$first")"
show_end "$first" '[status, output]'
echo "history: $(ask 'events[].type' get-execution-history --execution-arn "$first")"
newest=$(ask 'events[].type' get-execution-history --execution-arn "$first" --reverse-order --max-items 1 --page-size 1)
echo "newest event: ${newest%% *}"

# A second version, an alias, an execution that is stopped.
update=(update-state-machine --state-machine-arn "$tour" --definition file://wait.asl.json --publish)
second_version=$(ask stateMachineVersionArn "${update[@]}")
echo "published $(short "$second_version")"
versions=$(ask 'stateMachineVersions[].stateMachineVersionArn' list-state-machine-versions --state-machine-arn "$tour")
echo "versions: ${versions//$states:/}"
route=stateMachineVersionArn=$first_version,weight=100
alias=$(ask stateMachineAliasArn create-state-machine-alias --name live --routing-configuration "$route")
show_alias "$alias"
route=stateMachineVersionArn=$second_version,weight=100
sfn update-state-machine-alias --state-machine-alias-arn "$alias" --routing-configuration "$route" >/dev/null
show_alias "$alias"
second=$(start "$alias" second '{}')
by=$(ask '[stateMachineAliasArn, stateMachineVersionArn]' describe-execution --execution-arn "$second")
echo "started $(short "$second") by $(short "${by% *}"), which is $(short "${by#* }")"
sfn stop-execution --execution-arn "$second" --error Tour --cause 'it has been seen' >/dev/null
show_end "$second" '[status, error, cause]'
listed=$(ask "executions[].join('=', [name, status])" list-executions --state-machine-arn "$tour")
echo "executions: $listed"

# A worker of an activity: one task succeeds, one fails.
sfn create-activity --name work >/dev/null
worked=$(machine worked activity stateMachineArn)
third=$(start "$worked" third '{"n":1}')
take
sfn send-task-heartbeat --task-token "$token"
echo "heard its heartbeat"
sfn send-task-success --task-token "$token" --task-output '"done"'
show_end "$third" '[status, output]'
fourth=$(start "$worked" fourth '{"n":2}')
take
sfn send-task-failure --task-token "$token" --error Broken --cause 'the worker said so'
show_end "$fourth" '[status, error, cause]'

# A callback: a nested execution is given the task token, and somebody answers.
asked=$(machine asked wait stateMachineArn)
asks=$(machine asks callback stateMachineArn)
fifth=$(start "$asks" fifth '{}')
question=$states:execution:asked:question
until input=$(ask input describe-execution --execution-arn $question 2>/dev/null); do sleep 0.1; done
token=${input#*'"token":"'} token=${token%%'"'*}
echo "fifth waits for the token of $(short $question)"
sfn send-task-success --task-token "$token" --task-output '{"approved":true}'
show_end "$fifth" '[status, output]'
sfn stop-execution --execution-arn $question >/dev/null

# An Express state machine, to its end in one call.
express=$(machine express pass stateMachineArn --type EXPRESS)
echo "express: $(ask '[status, output]' start-sync-execution --state-machine-arn "$express" --input '{}')"

# A mistake, and the end.
refusal=$(sfn start-execution --state-machine-arn $states:stateMachine:missing 2>&1) && exit 1
refusal=${refusal#*\(} refusal=${refusal%%\)*}
echo "refused: $refusal"
sfn delete-state-machine-alias --state-machine-alias-arn "$alias"
sfn delete-state-machine-version --state-machine-version-arn "$first_version"
for arn in "$tour" "$worked" "$asked" "$asks" "$express"; do
    sfn delete-state-machine --state-machine-arn "$arn"
done
sfn delete-activity --activity-arn $work
until left=$(ask 'length(stateMachines)' list-state-machines) && [ "$left" = 0 ]; do sleep 0.1; done
echo "machines left: $left"
