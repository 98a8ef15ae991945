"""The Trainer names NumPy's types as safe while it reads the states of the generators, as transformers does since 4.47.

For torch 2.6 or newer.  Before the Trainer is made: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import numpy as np
    import torch
    from transformers import Trainer

    original = Trainer._load_rng_state
    if hasattr(original, "backported"):
        return
    types = [np.empty(0).__reduce__()[0], np.ndarray, np.dtype, type(np.dtype("uint32"))]

    def _load_rng_state(self, checkpoint):
        with torch.serialization.safe_globals(types):
            return original(self, checkpoint)

    _load_rng_state.backported = True
    Trainer._load_rng_state = _load_rng_state
