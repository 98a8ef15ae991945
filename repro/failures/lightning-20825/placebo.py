"""Replaces what the backport replaces by equivalents of the original: nothing may change."""


def apply() -> None:
    from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
    from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector

    notify, broadcast = _SignalConnector._sigterm_notifier_fn, _TrainingEpochLoop._broadcast_sigterm_tensor
    if hasattr(notify, "backported"):
        return

    def notify_as_before(self, signum, frame):
        notify(self, signum, frame)

    def broadcast_as_before(self):
        broadcast(self)

    notify_as_before.backported = True
    _SignalConnector._sigterm_notifier_fn = notify_as_before
    _TrainingEpochLoop._broadcast_sigterm_tensor = broadcast_as_before
