"""Sentinels beside a user's training: which documented failures does a run reach?

Runs in the user's own environment, which holds none of our dependencies: standard library only, Python 3.9 or newer.
"""
