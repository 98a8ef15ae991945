"""The answers that commands print with ``--json``, as models: their JSON schemas are published in ``docs/schemas``."""
