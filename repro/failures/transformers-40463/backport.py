"""The Trainer states the trainable parameters of all ranks under FSDP1: cures transformers 4.53 to 5.23.

Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import torch
    from torch.distributed.fsdp import FullyShardedDataParallel
    from transformers import trainer

    count = trainer.get_model_param_count
    if hasattr(count, "backported"):
        return

    def count_all_shards(model, trainable_only=False):
        total = count(model, trainable_only)
        wrapped = [module for module in model.modules() if isinstance(module, FullyShardedDataParallel)]
        if not wrapped or not all(module.sharding_strategy.name == "FULL_SHARD" for module in wrapped):
            return total
        # Every rank counts at the same place, so that it is a collective; padding belongs to no parameter.
        summed = torch.tensor(total, device=wrapped[0].compute_device)
        torch.distributed.all_reduce(summed, group=wrapped[0].process_group)
        return int(summed)

    count_all_shards.backported = True
    trainer.get_model_param_count = count_all_shards
