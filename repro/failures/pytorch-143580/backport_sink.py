"""Skips the sink of a static graph under no_sync, as pytorch/pytorch#166388 proposed: the assertion goes away.

Before the job: ``import backport_sink; backport_sink.apply()``.
"""


def apply() -> None:
    from torch.nn.parallel import distributed

    original = distributed._DDPSink
    if not hasattr(original, "forward"):
        return

    class Sink:
        @staticmethod
        def apply(reference, *tensors):
            return original.apply(reference, *tensors) if reference().require_backward_grad_sync else tensors

    distributed._DDPSink = Sink
