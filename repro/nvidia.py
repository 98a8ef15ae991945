"""Asks the driver's own tool about the CUDA devices of this machine; torch is not imported."""

import subprocess

SECONDS = 20


def asked(*facts: str) -> list[list[str]] | None:
    """Facts of each device, such as ``name``, in the order of their bus; None without a driver."""
    try:
        answer = subprocess.run(
            ["nvidia-smi", f"--query-gpu={','.join(facts)}", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return [[cell.strip() for cell in line.split(",")] for line in answer.splitlines() if line.strip()]
