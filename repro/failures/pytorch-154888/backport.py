"""HYBRID_SHARD with one rank for each group of shards reduces gradients over the replicas: cures torch 2.2 to 2.15.

FSDP switches to NO_SHARD there and goes on with the process group of the shards, which has one rank.  Here it takes
the group of the replicas instead, by whose size it divides already.
Before the model is wrapped: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from torch.distributed.fsdp import ShardingStrategy
    from torch.distributed.fsdp import fully_sharded_data_parallel as module

    original = module._init_core_state
    if getattr(original, "backported", False):
        return

    def init_core_state(state, sharding_strategy, *others):
        original(state, sharding_strategy, *others)
        hybrid = sharding_strategy in (ShardingStrategy.HYBRID_SHARD, ShardingStrategy._HYBRID_SHARD_ZERO2)
        if hybrid and state.sharding_strategy is ShardingStrategy.NO_SHARD:
            state.process_group = state._inter_node_pg
            state.rank, state.world_size = state.process_group.rank(), state.process_group.size()
        return state

    init_core_state.backported = True
    module._init_core_state = init_core_state
