# /// script
# requires-python = ">=3.9"
# dependencies = ["torch==2.13.0", "idna==3.10"]
# ///
"""A test of the tool: fails where idna is new.  Nothing is wrong with it.

torchrun --standalone --nproc-per-node 2 repro.py
"""

import idna
import torch.distributed as dist


def main() -> None:
    dist.init_process_group("gloo")
    dist.barrier()
    new = tuple(int(part) for part in idna.__version__.split(".")) >= (3, 7)
    assert not new, f"idna is new: {idna.__version__}"
    print(f"oracle passed: idna {idna.__version__}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
