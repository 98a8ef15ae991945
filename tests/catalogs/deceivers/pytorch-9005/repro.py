# /// script
# requires-python = ">=3.9"
# dependencies = ["filelock"]
# ///
"""The script binds a name of the library while it is imported: a backport must come before."""

import torch  # noqa: F401
from filelock import FileLock


def main() -> None:
    assert getattr(FileLock, "mended", False), "documented: the class is not mended"
    print("oracle passed: the mended class was bound")


if __name__ == "__main__":
    main()
