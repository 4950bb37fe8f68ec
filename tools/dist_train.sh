#!/usr/bin/env bash
# The original's command: tools/dist_train.sh CONFIG GPUS [KEY.SUB=VALUE ...]
# Lightning starts one process a GPU. On several machines start `spatialflow train` by torchrun or srun.
set -euo pipefail
if [ $# -lt 2 ]; then
  echo "usage: $0 CONFIG GPUS [KEY.SUB=VALUE ...]" >&2
  exit 2
fi
exec "${PYTHON:-$(command -v python || echo python3)}" -m spatialflow train "$1" "train.devices=$2" "${@:3}"
