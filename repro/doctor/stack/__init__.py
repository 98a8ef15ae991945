"""Finds the versions of an environment, from its interpreter or from a text that describes it."""
