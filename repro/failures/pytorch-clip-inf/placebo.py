"""Stands in the same place as the cure and passes on to the original: nothing may change.

Before the job: ``import placebo; placebo.apply()``.
"""


def apply() -> None:
    from torch.nn.utils import clip_grad

    original = clip_grad._get_total_norm

    def get_total_norm(tensors, norm_type=2.0, *others, **named):
        return original(tensors, norm_type, *others, **named)

    clip_grad._get_total_norm = get_total_norm
