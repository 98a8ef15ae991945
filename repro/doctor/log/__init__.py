"""Finds the documented failure that a log shows."""
