"""Searches for the release, the package or the condition that causes a failure."""
