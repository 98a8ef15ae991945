"""Rank 0 alone removes a sharded checkpoint where a full one is saved: cures lightning 2.1.4 to 2.6.6.

Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import shutil
    from pathlib import Path

    from lightning.fabric.strategies.fsdp import _is_sharded_checkpoint
    from lightning.pytorch.strategies import FSDPStrategy

    original = FSDPStrategy.save_checkpoint
    if getattr(original, "removes_once", False):
        return

    def save_checkpoint(self, checkpoint, filepath, *others, **named):
        if self._state_dict_type == "full":
            path = Path(self.broadcast(filepath))
            if self.global_rank == 0 and _is_sharded_checkpoint(path):
                shutil.rmtree(path)
            self.barrier()
        return original(self, checkpoint, filepath, *others, **named)

    save_checkpoint.removes_once = True
    FSDPStrategy.save_checkpoint = save_checkpoint
