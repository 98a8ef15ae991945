"""Gives transformers another name that nobody imports: nothing may change.

Before the job: ``import placebo; placebo.apply()``.
"""


def apply() -> None:
    import transformers

    if not hasattr(transformers, "HybridCacheOfNobody"):
        type(transformers).HybridCacheOfNobody = type("HybridCacheOfNobody", (transformers.StaticCache,), {})
