"""Observation + record -> verdict; verdict + expectation -> status.  Pure functions."""
