"""Tests of our own pytest plugins run pytest."""

pytest_plugins = ["pytester"]
