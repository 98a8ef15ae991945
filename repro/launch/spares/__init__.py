"""Warm processes that were made ahead for a later command, and have served no run."""
