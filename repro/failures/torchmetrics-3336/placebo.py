"""Replaces what the backport replaces by an equivalent of the original: nothing may change."""


def apply() -> None:
    from torchmetrics import Metric

    synchronise = Metric._sync_dist
    if hasattr(synchronise, "backported"):
        return

    def synchronise_as_before(self, *args, process_group=None, **kwargs):
        synchronise(self, *args, process_group=process_group, **kwargs)

    synchronise_as_before.backported = True
    Metric._sync_dist = synchronise_as_before
