"""Wraps the three methods that the cure wraps and passes on to the originals: nothing may change."""


def apply() -> None:
    from accelerate import Accelerator
    from accelerate.data_loader import DataLoaderShard

    iterate, save, load = DataLoaderShard.__iter__, Accelerator.save_state, Accelerator.load_state

    def __iter__(self):
        yield from iterate(self)

    def save_state(self, *args, **named):
        return save(self, *args, **named)

    def load_state(self, input_dir, *args, **named):
        load(self, input_dir, *args, **named)

    DataLoaderShard.__iter__, Accelerator.save_state, Accelerator.load_state = __iter__, save_state, load_state
