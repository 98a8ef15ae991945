"""Replaces the method that the cure replaces by an equivalent of the original: nothing may change."""


def apply() -> None:
    from lightning.pytorch.trainer.connectors.logger_connector.result import _ResultMetric

    original = _ResultMetric.compute

    def compute(self):
        return original(self)

    _ResultMetric.compute = compute
