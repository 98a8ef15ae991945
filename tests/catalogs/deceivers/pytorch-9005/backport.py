"""Marks the class before the script binds its name."""


def apply() -> None:
    """Replace the class."""
    import filelock

    class Mended(filelock.FileLock):
        mended = True

    filelock.FileLock = Mended
