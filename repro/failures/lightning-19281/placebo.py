"""Replaces the functions that the cure changes by others that load strictly, as the originals do.

For lightning 2.1.0 to 2.1.4.  Before the Trainer is made: ``import placebo; placebo.apply()``.
"""


def apply() -> None:
    from lightning.pytorch import LightningModule
    from lightning.pytorch.strategies import fsdp
    from lightning.pytorch.strategies.strategy import Strategy

    if hasattr(LightningModule, "strict_loading"):
        return
    LightningModule.strict_loading = True

    def load_model_state_dict(self, checkpoint):
        self.lightning_module.load_state_dict(checkpoint["state_dict"], strict=True)

    load = fsdp._load_raw_module_state

    def _load_raw_module_state(state_dict, module, world_size):
        load(state_dict, module, world_size, strict=True)

    Strategy.load_model_state_dict = load_model_state_dict
    fsdp._load_raw_module_state = _load_raw_module_state
