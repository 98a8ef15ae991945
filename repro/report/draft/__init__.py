"""Drafts of bug reports for upstream trackers."""
