"""Wraps what the backport wraps, and leaves the weights where they are."""

import functools
import itertools


def apply() -> None:
    import torch
    from lightning.pytorch.accelerators import CPUAccelerator
    from lightning.pytorch.strategies.launchers.multiprocessing import _MultiProcessingLauncher

    begin = _MultiProcessingLauncher._wrapping_function
    if hasattr(begin, "backported"):
        return

    @functools.wraps(begin)  # its name too: a process finds the method by it
    def begin_as_before(self, *given):
        _, _, _, args, kwargs, *_ = given  # after the rank, the trainer and its function
        spawned = self._start_method == "spawn" and isinstance(self._strategy.accelerator, CPUAccelerator)
        for item in (*args, *kwargs.values()) if spawned else ():
            if isinstance(item, torch.nn.Module):
                for tensor in itertools.chain(item.parameters(), item.buffers()):
                    tensor.data = tensor.data
        begin(self, *given)

    begin_as_before.backported = True
    _MultiProcessingLauncher._wrapping_function = begin_as_before
