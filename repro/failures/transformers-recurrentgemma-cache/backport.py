"""Lets gradients flow through RecurrentGemma's cache: cures transformers 4.40 to 5.3.

``_update_cache`` of the attention layers runs without ``torch.no_grad``, and the cache itself keeps detached tensors.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from transformers.models.recurrent_gemma import modeling_recurrent_gemma as module

    attention = module.RecurrentGemmaSdpaAttention
    update = getattr(attention, "_update_cache", None)
    if not hasattr(update, "__wrapped__"):
        return

    def update_with_gradients(self, key_states, value_states, **cache_kwargs):
        keys, values = update.__wrapped__(self, key_states, value_states, **cache_kwargs)
        self.key_states, self.value_states = keys.detach(), values.detach()
        return keys, values

    attention._update_cache = update_with_gradients
