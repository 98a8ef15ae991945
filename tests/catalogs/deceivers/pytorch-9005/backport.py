"""Marks a function before other modules bind its name."""


def apply() -> None:
    """Replace the function."""
    from torch.utils import checkpoint as module

    original = module.checkpoint

    def checkpoint(*args: object, **kwargs: object) -> object:
        return original(*args, **kwargs)

    checkpoint.mended = True  # type: ignore[attr-defined]
    module.checkpoint = checkpoint
