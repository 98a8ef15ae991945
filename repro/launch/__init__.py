"""Starts ranks, watches deadlines, collects observations."""
