"""The signal handler only notes the signal, and the ranks agree before the next batch: cures lightning 2.5.2 to 2.6.6.

Any rank may have been signalled; all stop after the same step.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import torch
    import torch.distributed as dist
    from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
    from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector
    from lightning.pytorch.utilities.exceptions import SIGTERMException

    notify = _SignalConnector._sigterm_notifier_fn
    if hasattr(notify, "backported"):
        return

    def note(self, signum, frame):
        if self.trainer.world_size == 1:
            notify(self, signum, frame)
            return
        if not getattr(self, "noted_sigterm", False) and self.trainer.strategy.launcher is not None:
            self.trainer.strategy.launcher.kill(signum)
        self.noted_sigterm = True

    def agree(self):
        connector = self.trainer._signal_connector
        device = self.trainer.strategy.root_device
        noted = torch.tensor([int(getattr(connector, "noted_sigterm", False))], device=device)
        dist.all_reduce(noted, dist.ReduceOp.MAX)
        if noted.item():
            connector.received_sigterm = True
            raise SIGTERMException

    note.backported = True
    _SignalConnector._sigterm_notifier_fn = note
    _TrainingEpochLoop._broadcast_sigterm_tensor = agree
