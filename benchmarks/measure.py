"""What the benchmarks share: variants timed in processes of their own, in turn, and the memory of each."""

import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

RESULT = "result: "


def report(numbers: dict[str, float], peak: float | None = None) -> None:
    """In the child: hand the numbers, and peak memory in GiB (by default this process's), to the parent."""
    if peak is None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(RESULT + json.dumps({**numbers, "peak GiB": peak}), flush=True)


def run_variants(
    script: str, variants: Sequence[str], rounds: int, arguments: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Run ``script --variant V`` for each variant in turn, ``rounds`` times over; medians by variant.

    The variants alternate, so that a machine that slows down does so for all of them.
    """
    found: dict[str, list[dict[str, float]]] = {variant: [] for variant in variants}
    for number in range(rounds):
        for variant in variants:
            print(f"round {number + 1} of {rounds}: {variant} ...", file=sys.stderr, flush=True)
            command = [sys.executable, str(Path(script).resolve()), "--variant", variant, *arguments]
            output = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ}
            ).stdout
            line = next(line for line in output.splitlines() if line.startswith(RESULT))
            found[variant].append(json.loads(line.removeprefix(RESULT)))
    return {
        variant: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for variant, runs in found.items()
    }
