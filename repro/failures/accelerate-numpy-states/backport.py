"""NumPy's function that makes arrays is allowed by its names of NumPy 1 and of NumPy 2: cures accelerate 1.1 to 1.15.

For the reader, with torch 2.6 or newer.  Before ``load_state``: ``import backport; backport.apply()``.
"""


def apply() -> None:
    import numpy as np
    from accelerate.utils import other

    function = np.empty(0).__reduce__()[0]
    for core in ("numpy.core", "numpy._core"):
        named = (function, f"{core}.multiarray._reconstruct")
        if named not in other.TORCH_SAFE_GLOBALS:
            other.TORCH_SAFE_GLOBALS.append(named)
