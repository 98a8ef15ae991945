"""Tests of our own pytest plugins run pytest; tests of cells have options."""

pytest_plugins = ["pytester", "repro.testing.options"]
