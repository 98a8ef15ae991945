"""Step time and peak device memory of checkpointing: none, non-reentrant, reentrant, on one model under FSDP.

    torchrun --standalone --nproc-per-node 2 tests/bench/checkpointing.py --out checkpointing.json

Needs torch and transformers, nothing of ours.  Every kind is measured in several rounds, the kinds by turns, each
after warm-up steps; a step is forward, backward and AdamW.  Its time is that between two CUDA events (a clock on the
CPU), the peak is what torch's allocator held at most during the timed steps.  Rank 0 writes the facts.
"""

import argparse
import gc
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import transformers
from torch.distributed.fsdp import FullyShardedDataParallel, MixedPrecision
from torch.distributed.fsdp.wrap import ModuleWrapPolicy
from transformers import LlamaConfig, LlamaForCausalLM

KINDS = ("none", "non-reentrant", "reentrant")


def new_model(flags: argparse.Namespace, kind: str, device: torch.device) -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32000,
        hidden_size=flags.hidden,
        intermediate_size=flags.hidden * 11 // 4,
        num_hidden_layers=flags.layers,
        num_attention_heads=max(flags.hidden // 128, 1),
        num_key_value_heads=max(flags.hidden // 128, 1),
        use_cache=False,
    )
    with device:  # made where it is used: made on the CPU it would take most of the time
        model = LlamaForCausalLM(config).train()
    if kind != "none":
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": kind == "reentrant"})
    layers = ModuleWrapPolicy({type(model.model.layers[0])})
    lower = MixedPrecision(param_dtype=torch.bfloat16, reduce_dtype=torch.bfloat16)
    return FullyShardedDataParallel(
        model, auto_wrap_policy=layers, mixed_precision=lower, device_id=device, use_orig_params=True
    )


def measure(flags: argparse.Namespace, kind: str, device: torch.device) -> dict[str, Any]:
    """One round of one kind: milliseconds of each timed step, and the peak in bytes."""
    gc.collect()  # wrapped modules refer to one another
    if device.type == "cuda":
        torch.cuda.empty_cache()  # what the round before left
    model = new_model(flags, kind, device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    tokens = torch.randint(0, 32000, (flags.batch, flags.length), device=device)
    cuda = device.type == "cuda"

    def step() -> float:
        loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach()) if not cuda else 0.0

    for _ in range(flags.warm_up):
        step()
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(flags.steps):
        if cuda:
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            step()
            end.record()
            torch.cuda.synchronize()
            times.append(begin.elapsed_time(end))
        else:
            began = time.perf_counter()
            step()
            times.append(1000 * (time.perf_counter() - began))
    peak = torch.cuda.max_memory_allocated() if cuda else 0
    parameters = sum(parameter.numel() for parameter in model.parameters()) * dist.get_world_size()
    return {"kind": kind, "step_ms": [round(found, 3) for found in times], "peak_bytes": peak, "parameters": parameters}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", type=int, default=2048)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--length", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--warm-up", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    flags = parser.parse_args()
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if cuda else "gloo")
    rounds = [measure(flags, kind, device) for _ in range(flags.rounds) for kind in KINDS]
    if dist.get_rank() == 0:
        facts = {
            "format": 1,
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "device": torch.cuda.get_device_name() if cuda else "cpu",
            "ranks": dist.get_world_size(),
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "nccl": ".".join(map(str, torch.cuda.nccl.version())) if cuda else None,
            "transformers": transformers.__version__,
            "model": {"hidden": flags.hidden, "layers": flags.layers, "parameters": rounds[0]["parameters"]},
            "batch_a_rank": flags.batch,
            "tokens": flags.length,
            "precision": "bf16 (FSDP mixed precision)",
            "warm_up": flags.warm_up,
            "rounds": [{key: value for key, value in found.items() if key != "parameters"} for found in rounds],
        }
        flags.out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        for kind in KINDS:
            own = [found for found in rounds if found["kind"] == kind]
            middle = [statistics.median(found["step_ms"]) for found in own]
            print(kind, [round(value, 2) for value in middle], "ms,", max(found["peak_bytes"] for found in own) >> 20)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
