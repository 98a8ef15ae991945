"""Reports for upstream trackers."""
