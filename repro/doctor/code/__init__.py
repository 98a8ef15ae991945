"""Finds what a user's code names of a failure's needs.  The code is read, never run."""
