# /// script
# requires-python = ">=3.10"
# dependencies = ["torch==2.11.0", "safetensors==0.8.0", "numpy"]
# ///
"""safetensors loads every rank's file to device 0 when it is asked for "cuda".

To torch, "cuda" is the device that ``torch.cuda.set_device`` chose.  To safetensors it is the first device of the
machine, so that all ranks' weights lie there.  Needs two CUDA devices.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/lerobot/pull/4042
"""

import argparse
import json
import os
import tempfile

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file


def load(file: str, how: str, device: str) -> torch.Tensor:
    if how == "load-file":
        return load_file(file, device=device)["weight"]
    if how == "safe-open":
        with safe_open(file, framework="pt", device=device) as opened:
            return opened.get_tensor("weight")
    return torch.ones(4).to(device)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--load", choices=["load-file", "safe-open", "torch-to"], default="load-file")
    parser.add_argument("--device", choices=["cuda", "indexed"], default="cuda")
    flags = parser.parse_args()
    own = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(own)

    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "weights.safetensors")
        save_file({"weight": torch.arange(16.0)}, file)
        weight = load(file, flags.load, "cuda" if flags.device == "cuda" else str(own))

    print("measured device =", json.dumps(weight.device.index))
    assert weight.device == own, f"the weight is on {weight.device}; this rank's device is {own}"
    print(f"oracle passed: the weight is on {weight.device}, this rank's device")


if __name__ == "__main__":
    main()
