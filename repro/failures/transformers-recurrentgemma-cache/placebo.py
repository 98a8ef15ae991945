"""Replaces what the backport replaces by an equivalent of the original: nothing may change."""


def apply() -> None:
    import torch
    from transformers.models.recurrent_gemma import modeling_recurrent_gemma as module

    attention = module.RecurrentGemmaSdpaAttention
    update = attention._update_cache
    if hasattr(update, "backported"):
        return

    @torch.no_grad()
    def update_without_gradients(self, key_states, value_states, **cache_kwargs):
        keys, values = update.__wrapped__(self, key_states, value_states, **cache_kwargs)
        self.key_states, self.value_states = keys.detach(), values.detach()
        return keys, values

    update_without_gradients.backported = True
    attention._update_cache = update_without_gradients
