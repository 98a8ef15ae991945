"""Does nothing."""


def apply() -> None:
    """Do nothing."""
