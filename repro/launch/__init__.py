"""Starts ranks, watches deadlines, collects observations."""

from repro.launch.running import environment_key, not_run, recipe_of, run_cell

__all__ = ["environment_key", "not_run", "recipe_of", "run_cell"]
