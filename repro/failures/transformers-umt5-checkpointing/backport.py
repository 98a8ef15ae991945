"""Hands the output of each checkpointed block on to the next: cures transformers 4.31 to 4.52.

In ``UMT5Stack.forward`` the line that takes the block's output stands four spaces too deep, inside the branch
without checkpointing.  It is moved out of the branch, and the method compiled again.
Before the job: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import inspect
    import textwrap

    from transformers.models.umt5 import modeling_umt5 as module

    if hasattr(module.UMT5Stack.forward, "backported"):
        return
    source = textwrap.dedent(inspect.getsource(module.UMT5Stack.forward))
    line = "hidden_states = layer_outputs[0]\n"
    moved = source.replace(" " * 12 + line, " " * 8 + line)
    made = {}
    exec(compile(moved, module.__file__, "exec"), vars(module), made)  # noqa: S102
    made["forward"].backported = True
    module.UMT5Stack.forward = made["forward"]
