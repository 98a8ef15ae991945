"""Parameters that the checkpoint has a state for are loaded, frozen or not: cures torch 2.2 to 2.15.

The load asks ``requires_grad`` where it should ask what was saved.  Here frozen parameters whose state the
checkpoint holds count as trainable while it runs; upstream's proposal is pytorch/pytorch#192307.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    from torch.distributed.checkpoint import state_dict as module

    load = module._load_optim_state_dict
    if hasattr(load, "backported"):
        return

    def load_what_was_saved(model, optimizers, state_dict, info):
        def is_saved(name):
            return name in state_dict.get("state", ()) or any(key.startswith(f"state.{name}.") for key in state_dict)

        frozen = [
            parameter
            for parameter, names in info.fqn_param_mapping.items()
            if not isinstance(parameter, str) and not parameter.requires_grad and any(map(is_saved, names))
        ]
        for parameter in frozen:
            parameter.requires_grad_(True)
        try:
            load(model, optimizers, state_dict, info)
        finally:
            for parameter in frozen:
                parameter.requires_grad_(False)

    load_what_was_saved.backported = True
    module._load_optim_state_dict = load_what_was_saved
