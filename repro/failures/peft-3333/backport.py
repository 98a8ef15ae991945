"""Gives transformers 5 the name that peft 0.17 imports: a cure for all but prompt tuning of Gemma models.

peft looks at the class only where it makes a cache for Gemma 2 and 3.  The name is given to the class of the module,
since transformers may replace the module itself.  Before the job: ``import backport;
backport.apply()``.
"""


def apply() -> None:
    import transformers

    if not hasattr(transformers, "HybridCache"):
        type(transformers).HybridCache = type("HybridCache", (transformers.StaticCache,), {})
