"""Does nothing."""


def apply() -> None:
    pass
