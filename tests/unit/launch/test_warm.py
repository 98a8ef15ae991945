"""What the warm launcher imports ahead, without starting it."""

from pathlib import Path

import pytest

from repro.launch.warm import LAZY, LAZY_DISTRIBUTED, imported_modules, lazy_modules


@pytest.mark.parametrize(
    ("imported", "sharded"),
    [
        (("torch", "torch.utils.checkpoint"), False),
        (("torch", "torch.distributed"), True),
        (("torch.distributed.fsdp",), True),
        (("lightning.pytorch",), True),
        (("transformers",), True),
        (("accelerate",), True),
    ],
)
def test_fsdp_is_imported_ahead_only_for_scripts_that_may_shard(imported: tuple[str, ...], sharded: bool) -> None:
    assert lazy_modules(imported) == (LAZY + LAZY_DISTRIBUTED if sharded else LAZY)


def test_imported_modules_are_those_at_the_top_in_order(tmp_path: Path) -> None:
    script = tmp_path / "repro.py"
    script.write_text(
        "from __future__ import annotations\nimport torch.nn as nn\nfrom a.b import c\n\ndef f():\n    import d\n"
    )
    assert imported_modules(script) == ("torch.nn", "a.b")
