"""An option that an older torch did not know keeps the value of the optimizer that it is loaded into.

For the torch that reads the checkpoint, 2.7 to 2.15.  Before ``dcp.load``: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner

    create = DefaultLoadPlanner.create_local_plan
    if hasattr(create, "backported"):
        return

    def create_local_plan(self):
        known = self.metadata.state_dict_metadata
        for name in list(self.state_dict):
            if name.endswith(".decoupled_weight_decay") and name not in known:
                del self.state_dict[name]
        return create(self)

    create_local_plan.backported = True
    DefaultLoadPlanner.create_local_plan = create_local_plan
