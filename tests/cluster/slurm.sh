#!/usr/bin/env bash
# The array script of a study, done by a real Slurm of one node that this script starts and stops: the results are those
# of one process, byte by byte. Needs root and slurm-wlm with munge (Debian: apt-get install slurm-wlm munge), cgroup v1
# mounts, and an address that is not the loopback's.
source "$(dirname "$0")/study.sh"
for program in slurmctld slurmd sbatch munged; do
    command -v "$program" > "$dir/where" || { echo "SKIPPED: there is no $program"; exit 0; }
done
[ "$(id -u)" -eq 0 ] || { echo "SKIPPED: slurmd needs root"; exit 0; }

host=$(hostname -s)
address=$(hostname -I | tr ' ' '\n' | grep -v '^127\.' | grep -v : | head -1)
mkdir "$dir/state" "$dir/spool" "$dir/munge"
chmod 755 "$dir"
head -c 1024 /dev/urandom > "$dir/munge/key"
chmod 600 "$dir/munge/key"
export SLURM_CONF="$dir/slurm.conf"
cat > "$SLURM_CONF" <<CONF
ClusterName=one
SlurmctldHost=$host($address)
SlurmctldPort=26817
SlurmdPort=26818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
NodeName=$host NodeAddr=$address CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
printf 'CgroupPlugin=cgroup/v1\nIgnoreSystemd=yes\n' > "$dir/cgroup.conf"

started=()
finish() {
    kill "${started[@]}" 2> "$dir/none" || true
    wait 2> "$dir/none" || true
    rm -rf "$dir"
}
trap finish EXIT
start() {
    "$@" > "$dir/$1.out" 2>&1 &
    started+=($!)
}
start munged --foreground --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" \
    --pid-file="$dir/munge/pid" --log-file="$dir/munge/log" --seed-file="$dir/munge/seed"
sleep 1
start slurmctld -D
start slurmd -D -N "$host"
for _ in $(seq 60); do
    sinfo --noheader --format=%T 2> "$dir/none" | grep -q idle && break
    sleep 1
done
if ! sinfo --noheader --format=%T | grep -q idle; then
    tail -n 20 "$dir"/*.out "$dir/munge/log" >&2
    echo "Slurm did not start" >&2
    exit 1
fi

plan "$dir/study" --plan slurm > "$dir/array.sh"
sbatch --array=1-8%2 "$dir/array.sh"
while squeue --noheader | grep -q .; do sleep 1; done
compare "$dir/study" || { tail -n 5 "$dir"/study/slurm-*.log >&2; exit 1; }
echo "Slurm $(sinfo --version | cut -d' ' -f2): the results are those of one process"
