"""Allows the same function by the name that is allowed already: nothing may change."""


def apply() -> None:
    import numpy as np
    from accelerate.utils import other

    function = np.empty(0).__reduce__()[0]
    named = (function, f"{function.__module__}.{function.__qualname__}")
    if named not in other.TORCH_SAFE_GLOBALS:
        other.TORCH_SAFE_GLOBALS.append(named)
