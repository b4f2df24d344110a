#!/usr/bin/env bash
# A load in slices on a real Slurm of one node: the file that `idx2gcs deploy slurm` prints, into the
# built-in emulator. One task is killed, one is requeued, the merge refuses, the lost slice is submitted
# again alone, and all is published as one process publishes it. Half a minute.
#
# Needs to be root on Debian or Ubuntu, where it installs slurm-wlm and munge; elsewhere it says that it did
# not run. Slurm's services run from a temporary folder, and end with the script.
#
# Usage: scripts/slurm.sh PROGRAM      (PROGRAM is a built idx2gcs)
set -euo pipefail
. "$(dirname "$0")/common.sh"
program=$(realpath "${1:?the program}")

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "NOT RUN: the test with Slurm needs to be root on Debian or Ubuntu" >&2
    exit
fi
for tool in slurmctld slurmd sbatch munged; do
    command -v "$tool" >/dev/null || { apt_install "$tool is missing" slurm-wlm munge && break; }
done

desk=$(mktemp -d)
started=() emulators=()
stop() {
    local file waits=0
    for file in "${started[@]}"; do
        [ ! -s "$file" ] || kill "$(<"$file")" 2>/dev/null || true
    done
    # Each removes its file when it ends.
    for file in "${started[@]}"; do
        while [ -e "$file" ] && ((++waits < 100)); do sleep 0.1; done
    done
}
finish() {
    local code=$?
    # Tasks that are left when a check fails.
    [ "$code" = 0 ] || timeout 5 scancel --full --user=root 2>/dev/null || true
    stop
    ((${#emulators[@]} == 0)) || kill "${emulators[@]}" 2>/dev/null || true
    if [ "$code" = 0 ]; then rm -rf "$desk"; else echo "its files are in $desk" >&2; fi
}
trap finish EXIT

step "a Slurm of one node in $desk"
mkdir -p "$desk"/{state,spool,munge,work}
chmod 700 "$desk/munge"
head -c 1024 /dev/urandom >"$desk/munge/key"
chmod 600 "$desk/munge/key"
read -r ctld slurmd < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(it.getsockname()[1] for it in sockets))')
host=$(hostname -s)
cat >"$desk/slurm.conf" <<CONF
ClusterName=idx2gcs
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$ctld
SlurmdPort=$slurmd
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$desk/munge/socket
StateSaveLocation=$desk/state
SlurmdSpoolDir=$desk/spool
SlurmctldPidFile=$desk/slurmctld.pid
SlurmdPidFile=$desk/slurmd.pid
SlurmctldLogFile=$desk/slurmctld.log
SlurmdLogFile=$desk/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=1,sched_interval=1
JobCompType=jobcomp/filetxt
JobCompLoc=$desk/jobs.txt
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
KillWait=5
MinJobAge=3600
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=5 RealMemory=4096 State=UNKNOWN
PartitionName=test Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$desk/slurm.conf
started=("$desk/slurmd.pid" "$desk/slurmctld.pid" "$desk/munge/pid")
munged --key-file="$desk/munge/key" --socket="$desk/munge/socket" --pid-file="$desk/munge/pid" \
    --log-file="$desk/munge/log" --seed-file="$desk/munge/seed" --num-threads=2 --force
slurmctld
slurmd

# until_so WHAT COMMAND…: until the command succeeds, for half a minute at most.
until_so() {
    local what=$1
    shift
    for _ in $(seq 300); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    echo "waited in vain for $what" >&2
    tail -n 20 "$desk"/*.log "$desk"/work/*.log >&2
    return 1
}
idle() { [ "$(sinfo --noheader --format=%T)" = idle ]; }
until_so "the node" idle

step "an array of 4 slices"
cd "$desk/work"
python3 - <<'PYTHON'
import os, struct
for stem, count in (("train", 3600), ("t10k", 400)):
    with open(f"../{stem}-images-idx3-ubyte", "wb") as out:
        out.write(struct.pack(">IIII", 0x803, count, 8, 8) + os.urandom(64 * count))
    with open(f"../{stem}-labels-idx1-ubyte", "wb") as out:
        out.write(struct.pack(">II", 0x801, count) + bytes(i % 10 for i in range(count)))
PYTHON
start_emulator "$program" "$desk/emulator.log" --bucket slurm --latency 20ms --max-rate 600
emulators+=("$emulator")
settings=(--source "$desk" --endpoint "$endpoint" --validation 100 --manifests automl,vertex,csv,parquet)
PATH=$(dirname "$program"):$PATH
"$program" deploy slurm --shards 4 --to gs://slurm/slices "${settings[@]}" >slurm.sh

object() { curl -sf "$endpoint/storage/v1/b/slurm/o/slices%2F$1?alt=media"; }
published() { object automl.csv >/dev/null; }
# The process of a task of the array; fails where none runs.
process_of() {
    local folder
    for folder in /proc/[0-9]*; do
        [ "$(cat "$folder/comm" 2>/dev/null)" = idx2gcs ] || continue
        [ "$(tr '\0' '\n' <"$folder/environ" 2>/dev/null |
            grep -cxE "SLURM_ARRAY_JOB_ID=$array|SLURM_ARRAY_TASK_ID=$1")" = 2 ] || continue
        echo "${folder#/proc/}"
        return
    done
    return 1
}
no_process_of() { ! process_of "$1"; }
# State, exit code and signal of each task of this name that has ended, in that order, as Slurm recorded them.
ended() {
    grep " Name=$1 " "$desk/jobs.txt" | sort -t= -k2n |
        grep -oE ' (JobState|ArrayTaskId|ExitCode)=[^ ]+' | tr -d '\n'
}
has_ended() { [ "$(grep -c " Name=$1 " "$desk/jobs.txt")" = "$2" ]; }
# check WHAT COMMAND…: says it, or fails.
check() {
    local what=$1
    shift
    "$@" || { echo "NOT SO: $what" >&2; return 1; }
    echo "ok: $what"
}

bash slurm.sh | tee submitted
array=$(grep -oE 'are job [0-9]+' submitted | grep -oE '[0-9]+')
for slice in 1 2; do
    until_so "slice $slice to begin" object "image_$((slice * 1000 + 20)).jpg"
done
kill -9 "$(process_of 1)"
scontrol requeue "${array}_2"
until_so "the requeued task to end" no_process_of 2
# Without this it waits two minutes, in case the node is broken.
until_so "the requeued task to wait" scontrol update jobid="${array}_2" StartTime=now
until_so "the merge" has_ended idx2gcs-merge 1
grep -h '^error' idx2gcs-merge.log
echo "slices:$(ended idx2gcs); merge:$(ended idx2gcs-merge)"
# The merge may come before the requeued task is through, too.
lacks="no slice has stored images 1,000 to [12],999 of 4,000"
check "the merge refuses, and names what is missing" grep -q "$lacks" idx2gcs-merge.log
check "it fails" [ "$(ended idx2gcs-merge)" = " JobState=FAILED ExitCode=1:0" ]
check "the killed task failed, and was not repeated" grep -q ' ArrayTaskId=1 .* ExitCode=0:9' "$desk/jobs.txt"
check "the requeued task began twice" [ "$(grep -c '^loading slice 2/4' idx2gcs-2.log)" = 2 ]
if published; then echo "NOT SO: nothing is published yet" >&2; exit 1; fi

step "the lost slice alone"
grep -v SHARD_COUNT slurm.sh >uncounted.sh
code=0
sbatch --parsable --wait --array=1 --job-name=uncounted uncounted.sh slice || code=$?
grep -h '^error' uncounted-1.log
check "without the number of slices it is refused" [ "$code" = 2 ]
bash slurm.sh 1
until_so "the second merge" has_ended idx2gcs-merge 2
echo "slices:$(ended idx2gcs); merges:$(ended idx2gcs-merge)"
grep -h 'images of' idx2gcs-merge.log
check "it is merged" grep -q '4,000 images of 4 slices' idx2gcs-merge.log
"$program" verify --to gs://slurm/slices "${settings[@]}"
check "nothing was written twice" grep -q '"overwrites":0[,}]' <(curl -s "$endpoint/_emulator/counters")
mkdir slices one
for name in automl.csv vertex.csv images.csv images.parquet; do object "$name" >"slices/$name"; done

step "the same by one process"
start_emulator "$program" "$desk/one.log" --bucket slurm
emulators+=("$emulator")
settings=("${settings[@]/#http:*/$endpoint}")
"$program" load --to gs://slurm/slices "${settings[@]}" --out alone --quiet
for name in automl.csv vertex.csv images.csv images.parquet; do object "$name" >"one/$name"; done
check "the manifests are the same to the byte" diff -r slices one
sha256sum slices/*
