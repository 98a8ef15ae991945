"""A sharded FSDP1 optimizer is loaded as accelerate 1.6 did it, which asks for all that is there: cures 1.7 to 1.15.

Before ``load_state``, or before the Trainer is imported: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import sys

    from accelerate import accelerator, utils
    from torch.distributed.checkpoint import FileSystemReader
    from torch.distributed.checkpoint.optimizer import load_sharded_optimizer_state_dict
    from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
    from torch.distributed.fsdp import StateDictType

    original = utils.fsdp_utils.load_fsdp_optimizer
    if hasattr(original, "backported"):
        return

    def load_fsdp_optimizer(*arguments, **options):
        plugin, _, optimizer, model, folder, *rest = arguments
        if plugin.fsdp_version != 1 or plugin.state_dict_type != StateDictType.SHARDED_STATE_DICT:
            original(*arguments, **options)
            return
        kinds = plugin.state_dict_type, plugin.state_dict_config, plugin.optim_state_dict_config
        with FSDP.state_dict_type(model, *kinds):
            reader = FileSystemReader(f"{folder}/optimizer_{rest[0] if rest else 0}")
            state = load_sharded_optimizer_state_dict(model.state_dict(), "optimizer", reader)["optimizer"]
            optimizer.load_state_dict(FSDP.optim_state_dict_to_load(model, optimizer, state))

    load_fsdp_optimizer.backported = True
    for module in (utils.fsdp_utils, utils, accelerator, sys.modules.get("transformers.trainer")):
        if module is not None:
            module.load_fsdp_optimizer = load_fsdp_optimizer
