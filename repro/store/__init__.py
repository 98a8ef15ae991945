"""Stored observations and stored answers of searches."""
