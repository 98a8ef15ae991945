"""Lets ``trainer.fit(ckpt_path=...)`` load a model non-strictly where the model says ``self.strict_loading = False``.

For lightning 2.1.0 to 2.1.4.  Before the Trainer is made: ``import backport; backport.apply()``.

The attribute of lightning 2.2.0 (Lightning-AI/pytorch-lightning#19404), for the strategies that load a whole
state dict: all that use the base class's method, and FSDP with a full checkpoint.  DeepSpeed is left as it is.
"""


def apply() -> None:
    from lightning.pytorch import LightningModule
    from lightning.pytorch.strategies import fsdp
    from lightning.pytorch.strategies.strategy import Strategy

    if hasattr(LightningModule, "strict_loading"):
        return
    LightningModule.strict_loading = True

    def load_model_state_dict(self, checkpoint):
        module = self.lightning_module
        module.load_state_dict(checkpoint["state_dict"], strict=module.strict_loading)

    load = fsdp._load_raw_module_state

    def _load_raw_module_state(state_dict, module, world_size):
        load(state_dict, module, world_size, strict=module.module.strict_loading)

    Strategy.load_model_state_dict = load_model_state_dict
    fsdp._load_raw_module_state = _load_raw_module_state
