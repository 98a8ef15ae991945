"""Wraps the method that the cure wraps, and names nothing as safe: nothing may change."""


def apply() -> None:
    from transformers import Trainer

    original = Trainer._load_rng_state
    if hasattr(original, "backported"):
        return

    def _load_rng_state(self, checkpoint):
        return original(self, checkpoint)

    _load_rng_state.backported = True
    Trainer._load_rng_state = _load_rng_state
