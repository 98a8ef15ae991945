"""Turns the cache off while a model trains with checkpointed layers: cures every release of transformers.

transformers has this rule, but applies it only to the checkpointing that it does itself
(``gradient_checkpointing_enable``).  Here it holds for layers in torch's ``CheckpointWrapper`` as well, which
Lightning's ``activation_checkpointing_policy`` and accelerate's ``activation_checkpointing`` put around them.
Evaluation and generation keep their cache.  Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import inspect

    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import CheckpointWrapper
    from transformers import PreTrainedModel

    call = PreTrainedModel.__call__
    if hasattr(call, "backported"):
        return

    def call_without_cache(self, *args, **kwargs):
        checkpointed = any(isinstance(module, CheckpointWrapper) for module in self.modules())
        if self.training and checkpointed and "use_cache" in inspect.signature(self.forward).parameters:
            kwargs["use_cache"] = False
        return call(self, *args, **kwargs)

    call_without_cache.backported = True
    PreTrainedModel.__call__ = call_without_cache
