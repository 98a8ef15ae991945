"""Environments under test: built from a lock with uv, or adopted unchanged."""
