#!/usr/bin/env bash
# The plan of a study, done by the real GNU parallel, killed in the middle and gone on with: the results are those of
# one process, byte by byte. Needs `parallel` (Debian: apt-get install parallel).
source "$(dirname "$0")/study.sh"
command -v parallel > "$dir/where" || { echo "SKIPPED: there is no GNU parallel"; exit 0; }

plan "$dir/study" --plan parallel > "$dir/plan.txt"
[ "$(wc -l < "$dir/plan.txt")" -eq 8 ]

# GNU parallel gives each job a process group of its own: killed like this it leaves the jobs in flight behind, and the
# same runs are begun a second time beside them. They must wait for the first and not do the run again.
setsid parallel --jobs 2 --joblog "$dir/joblog" < "$dir/plan.txt" > "$dir/out.txt" 2>&1 &
group=$!
until [ "$(cat "$dir/study/journal.jsonl" 2> "$dir/none" | wc -l)" -ge 3 ]; do sleep 0.01; done
kill -9 -- "-$group"
wait "$group" 2> "$dir/none" || true
echo "killed after $(wc -l < "$dir/study/journal.jsonl") of 8 runs"

# The lines that are left; those that were done answer at once.
parallel --jobs 2 --joblog "$dir/joblog-2" < "$dir/plan.txt"
[ "$(awk 'NR > 1 && $7 == 0' "$dir/joblog-2" | wc -l)" -eq 8 ]
compare "$dir/study"
echo "GNU parallel: the results are those of one process"
