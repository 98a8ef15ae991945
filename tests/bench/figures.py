"""Figures of a benchmark, as all of them print and keep them."""

import json
from pathlib import Path


def publish(figures: dict[str, object], output: Path | None) -> None:
    """Print figures as JSON, and write them to a file if one is given."""
    text = json.dumps(figures, indent=1) + "\n"
    print(text)
    if output:
        output.write_text(text, encoding="utf-8")
