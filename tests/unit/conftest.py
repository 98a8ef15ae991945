"""A property may take its time: on a loaded machine an example is slow without being wrong."""

from hypothesis import settings

settings.register_profile("repro", deadline=None)
settings.load_profile("repro")
