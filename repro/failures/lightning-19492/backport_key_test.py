"""Lets lightning save a sharded FSDP checkpoint without optimizer states, by a test for the key.

For lightning 2.1.0 to 2.2.1.  Before the Trainer is made: ``import backport_key_test as b; b.apply()``.

The form that Lightning-AI/pytorch-lightning#19492 proposes: the conversion reads ``optimizer_states`` only if the
checkpoint has it.  A checkpoint without the key is written here, by the same steps; any other by lightning.
"""


def apply() -> None:
    from pathlib import Path

    import torch
    from lightning.fabric.strategies.fsdp import _METADATA_FILENAME
    from lightning.pytorch.strategies import FSDPStrategy
    from torch.distributed.checkpoint import FileSystemWriter, save_state_dict

    save = FSDPStrategy.save_checkpoint
    if getattr(save, "_backport", False):
        return

    def save_checkpoint(self, checkpoint, filepath, storage_options=None):
        if self._state_dict_type != "sharded" or "optimizer_states" in checkpoint or storage_options is not None:
            save(self, checkpoint, filepath, storage_options)
            return
        path = Path(self.broadcast(filepath))
        if path.is_file():
            path.unlink()
        path.mkdir(parents=True, exist_ok=True)
        save_state_dict({"model": checkpoint.pop("state_dict")}, FileSystemWriter(path, single_file_per_rank=True))
        if self.global_rank == 0:
            torch.save(checkpoint, path / _METADATA_FILENAME)

    save_checkpoint._backport = True
    FSDPStrategy.save_checkpoint = save_checkpoint
