"""Ranks agree on the number of entries before they gather them: cures torchmetrics 1.4 to 1.9.

``Metric._sync_dist`` gathers a list state without reduction entry by entry, as often as this rank has entries.  Here
the ranks tell each other how many they have; who has fewer sends placeholders, which are left out of the result.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import torch
    import torch.distributed as dist
    from torchmetrics import Metric

    synchronise = Metric._sync_dist
    if hasattr(synchronise, "backported"):
        return

    def synchronise_equally(self, *args, process_group=None, **kwargs):
        group = process_group or self.process_group
        states = {name: getattr(self, name) for name, reduction in self._reductions.items() if reduction is None}
        states = {name: state for name, state in states.items() if isinstance(state, list)}
        tensors = {name: [one for one in state if isinstance(one, torch.Tensor)] for name, state in states.items()}
        shapes = {name: [(tuple(entry.shape), entry.dtype) for entry in entries] for name, entries in tensors.items()}
        everyone = [None] * dist.get_world_size(group)
        dist.all_gather_object(everyone, shapes, group=group)
        for name, entries in tensors.items():
            counts = [len(of_rank[name]) for of_rank in everyone]
            if len(set(counts)) == 1:
                continue
            shape, dtype = next(of_rank[name][0] for of_rank in everyone if of_rank[name])
            placeholder = torch.zeros([0] * len(shape), dtype=dtype, device=self.device)
            setattr(self, name, entries + [placeholder] * (max(counts) - len(entries)))
        synchronise(self, *args, process_group=process_group, **kwargs)
        for name in tensors:
            counts = [len(of_rank[name]) for of_rank in everyone]
            if len(set(counts)) > 1:
                sent = [index < count for index in range(max(counts)) for count in counts]
                setattr(self, name, [entry for entry, real in zip(getattr(self, name), sent) if real])

    synchronise_equally.backported = True
    Metric._sync_dist = synchronise_equally
