"""Checkpoints hold the epoch and the shuffle of each loader: cures accelerate 0.30 to 1.15.

Each loader notes its epoch and the state of its generator when an epoch begins.  ``save_state`` writes these notes,
and ``load_state`` gives them back; much as huggingface/accelerate#4232 and #4233 propose.
Before the Accelerator is made: ``import backport; backport.apply()``.
"""


def noted(loader):
    """The epoch of a loader, and from what its shuffle is drawn."""
    generator = loader.synchronized_generator
    return loader.iteration, None if generator is None else generator.get_state()


def restore(loader, note):
    loader.set_epoch(note[0])
    if note[1] is not None:
        loader.synchronized_generator.set_state(note[1])


def apply() -> None:
    from pathlib import Path

    import torch
    from accelerate import Accelerator
    from accelerate.data_loader import DataLoaderShard

    iterate, save, load = DataLoaderShard.__iter__, Accelerator.save_state, Accelerator.load_state
    if getattr(save, "backported", False):
        return

    def __iter__(self):
        self.note = noted(self)
        yield from iterate(self)

    def save_state(self, *args, **named):
        folder = Path(save(self, *args, **named))
        notes = [getattr(loader, "note", (None,)) for loader in self._dataloaders]
        now = [
            note if note[0] == at.iteration else noted(at) for note, at in zip(notes, self._dataloaders, strict=True)
        ]
        torch.save(now, folder / f"loaders_{self.process_index}.pt")
        return str(folder)

    def load_state(self, input_dir, *args, **named):
        load(self, input_dir, *args, **named)
        notes = torch.load(Path(input_dir) / f"loaders_{self.process_index}.pt", weights_only=True)
        for loader, note in zip(self._dataloaders, notes, strict=True):
            restore(loader, note)

    save_state.backported = True
    DataLoaderShard.__iter__, Accelerator.save_state, Accelerator.load_state = __iter__, save_state, load_state
