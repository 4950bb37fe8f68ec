#!/usr/bin/env bash
# The original's command: tools/dist_test.sh CONFIG CHECKPOINT GPUS --out F --eval panoptic bbox segm
# One process a GPU; each predicts its share of the images.
set -euo pipefail
if [ $# -lt 3 ]; then
  echo "usage: $0 CONFIG CHECKPOINT GPUS [--out F] [--eval NAME ...] [KEY.SUB=VALUE ...]" >&2
  exit 2
fi
exec "${PYTHON:-$(command -v python || echo python3)}" -m torch.distributed.run --standalone --nproc_per_node="$3" \
  "$(dirname "$0")/test.py" "$1" "$2" "${@:4}"
