"""Replaces what the backport replaces by an equivalent of the original: nothing may change."""


def apply() -> None:
    from transformers import Trainer

    original = Trainer.__init__
    if hasattr(original, "backported"):
        return

    def init(self, *arguments, **options):
        original(self, *arguments, **options)

    init.backported = True
    Trainer.__init__ = init
