"""Sentinels that run beside a user's training and report which documented failures it reaches.

They run in the user's environment, without our dependencies: standard library only, Python 3.9 or newer.
"""
