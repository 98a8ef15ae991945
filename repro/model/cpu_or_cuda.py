"""Lanes."""

from enum import StrEnum


class Lane(StrEnum):
    """Where ranks run."""

    CPU = "cpu"
    CUDA = "cuda"
