# /// script
# requires-python = ">=3.9"
# dependencies = ["torch==2.13.0", "packaging==24.2", "idna==3.10"]
# ///
"""A test of the tool: fails where packaging and idna are both new.  Nothing is wrong with them.

torchrun --standalone --nproc-per-node 2 repro.py
"""

import idna
import packaging
import torch.distributed as dist


def is_new(version: str, first: tuple[int, ...]) -> bool:
    return tuple(int(part) for part in version.split(".")) >= first


def main() -> None:
    dist.init_process_group("gloo")
    dist.barrier()
    both = is_new(packaging.__version__, (24,)) and is_new(idna.__version__, (3, 7))
    assert not both, f"both are new: packaging {packaging.__version__}, idna {idna.__version__}"
    print(f"oracle passed: packaging {packaging.__version__}, idna {idna.__version__}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
