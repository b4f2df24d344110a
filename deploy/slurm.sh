#!/bin/bash
# A load in slices on Slurm.
#   bash slurm.sh        submits all slices, and a merge that runs when they have ended
#   bash slurm.sh 3,5    the same for slices that failed: Slurm repeats a task by itself only if it was
#                        preempted or its node went down
# The merge fails, and names what is missing, unless every image is stored. In a bucket the last slice
# has published by then.
#SBATCH --job-name=idx2gcs
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=512M
#SBATCH --time=01:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%a.log
# A minute before the time is up, so that requests in flight can end.
#SBATCH --signal=B:TERM@60
set -euo pipefail

# The number of slices is given, since Slurm does not know it where a part of the array is submitted again.
export IDX2GCS_SOURCE_PATH='SHARED/FOLDER'
export IDX2GCS_DESTINATION_URL='gs://BUCKET/PREFIX'
export IDX2GCS_SHARD_OF='auto'
export IDX2GCS_SHARD_COUNT='8'

case ${1-} in
    # The program takes the shell's place, and so its signals.
    slice) exec idx2gcs load ;;
    merge) exec idx2gcs merge ;;
esac
tasks=${1:-0-7}
slices=$(sbatch --parsable --array="$tasks" "$0" slice)
# afterok would wait for ever once a slice has failed; the merge itself refuses what is incomplete.
merge=$(sbatch --parsable --dependency=afterany:"$slices" --job-name=idx2gcs-merge --output=%x.log "$0" merge)
echo "slices $tasks are job $slices, the merge is job $merge"
