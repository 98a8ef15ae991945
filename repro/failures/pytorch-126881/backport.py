"""``dcp.load`` also fills in what the checkpoint has and the given state dict does not name: cures torch 2.2 to 2.15.

Before ``dcp.load``: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import torch
    from torch.distributed.checkpoint._nested_dict import set_element
    from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner

    create = DefaultLoadPlanner.create_local_plan
    if hasattr(create, "backported"):
        return

    def create_local_plan(self):
        for name, entry in self.metadata.state_dict_metadata.items():
            if name in self.state_dict:
                continue
            # Numbers are keys of parameters here, which flattening made text.
            path = tuple(int(key) if str(key).isdigit() else key for key in self.metadata.planner_data[name])
            value = torch.empty(entry.size, dtype=entry.properties.dtype) if hasattr(entry, "size") else None
            set_element(self.original_state_dict, path, value)
            self.state_dict[name], self.mappings[name] = value, path
        return create(self)

    create_local_plan.backported = True
    DefaultLoadPlanner.create_local_plan = create_local_plan
