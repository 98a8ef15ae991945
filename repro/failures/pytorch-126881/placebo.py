"""Replaces what the backport replaces by an equivalent of the original: nothing may change."""


def apply() -> None:
    from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner

    create = DefaultLoadPlanner.create_local_plan
    if hasattr(create, "backported"):
        return

    def create_local_plan(self):
        return create(self)

    create_local_plan.backported = True
    DefaultLoadPlanner.create_local_plan = create_local_plan
