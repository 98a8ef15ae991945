"""An empty shard counts as zeros in the infinity norm of gradients: cures torch 2.6 to 2.15.

Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import math

    import torch
    from torch.distributed.tensor import DTensor
    from torch.nn.utils import clip_grad

    original = clip_grad._get_total_norm
    if getattr(original, "takes_empty_shards", False):
        return

    def filled(tensor):
        if not isinstance(tensor, DTensor) or tensor.to_local().numel():
            return tensor
        local = tensor.to_local()
        zeros = torch.zeros([max(1, size) for size in local.shape], dtype=local.dtype, device=local.device)
        return DTensor.from_local(zeros, tensor.device_mesh, tensor.placements, run_check=False)

    def get_total_norm(tensors, norm_type=2.0, *others, **named):
        if float(norm_type) == math.inf:
            tensors = [filled(tensor) for tensor in tensors]
        return original(tensors, norm_type, *others, **named)

    get_total_norm.takes_empty_shards = True
    clip_grad._get_total_norm = get_total_norm
