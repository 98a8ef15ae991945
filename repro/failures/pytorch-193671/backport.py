"""RReLU draws its slopes before anything is saved: cures torch 2.2 to 2.15.

``aten::rrelu`` saves an empty ``noise`` tensor for the backward pass and only then fills it.  Here the slopes
are drawn by an operator of their own and are saved when they have their values.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import torch

    rrelu = torch.nn.functional.rrelu
    if hasattr(rrelu, "backported"):
        return

    def rrelu_of_drawn_slopes(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):  # noqa: A002
        if not training or inplace:
            return rrelu(input, lower, upper, training, inplace)
        slopes = torch.ones_like(input).uniform_(lower, upper)
        return torch.where(input > 0, input, input * slopes)

    rrelu_of_drawn_slopes.backported = True
    torch.nn.functional.rrelu = rrelu_of_drawn_slopes
