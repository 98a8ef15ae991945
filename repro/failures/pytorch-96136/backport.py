"""The recomputation leaves the statistics of BatchNorm alone: cures torch 2.2 to 2.15.

A recomputation runs within a backward pass, which autograd can tell.  There the layer gets copies of its
buffers.  Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    forward = _BatchNorm.forward
    if hasattr(forward, "backported"):
        return

    def forward_with_one_update(self, *args, **kwargs):
        if torch._C._current_graph_task_id() == -1 or not self.training:
            return forward(self, *args, **kwargs)
        buffers = dict(self._buffers)
        self._buffers.update({name: None if value is None else value.clone() for name, value in buffers.items()})
        try:
            return forward(self, *args, **kwargs)
        finally:
            self._buffers.update(buffers)

    forward_with_one_update.backported = True
    _BatchNorm.forward = forward_with_one_update
