"""Finds the failures of an environment, and what other versions would change."""
