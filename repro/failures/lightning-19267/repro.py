# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.2.2", "lightning==2.2.1", "transformers==4.40.2", "numpy<2"]
# ///
"""Activation checkpointing from outside a transformers model recomputes its layers with a filled cache.

With ``use_cache`` left on, each decoder layer appends its keys and values to a cache; the recomputation in
backward appends them again.  Non-reentrant checkpointing then raises CheckpointError, 25 tokens saved and 50
recomputed; reentrant checkpointing says nothing and computes wrong gradients.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/Lightning-AI/pytorch-lightning/issues/19267
"""

import argparse
import copy
import functools
import os

import torch
from lightning.fabric import Fabric, seed_everything
from lightning.fabric.strategies import FSDPStrategy
from torch.distributed.algorithms._checkpoint import checkpoint_wrapper as wrappers
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.distributed.fsdp.wrap import ModuleWrapPolicy
from transformers import AutoConfig, AutoModelForCausalLM

TOLERANCE = {"fp32": 1e-5, "bf16": 2.0**-5}  # bf16 resolves 2**-7, and FSDP sums gradients in it


def new_model(flags: argparse.Namespace) -> torch.nn.Module:
    seed_everything(0)
    sizes = {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 32, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "num_local_experts": 4}
    config = AutoConfig.for_model(flags.model_family, **sizes, **heads)
    config.use_cache = flags.use_cache == "on"
    return AutoModelForCausalLM.from_config(config, attn_implementation=flags.attention).train()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fsdp", choices=["on", "off"], default="on")
    wrapper = ["lightning", "torch", "huggingface", "lightning+huggingface"]
    parser.add_argument("--wrapper", choices=wrapper, default="lightning")
    parser.add_argument("--use-reentrant", choices=["off", "on"], default="off")
    parser.add_argument("--use-cache", choices=["on", "off"], default="on")
    parser.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--model-family", choices=["mixtral", "llama", "qwen2"], default="mixtral")
    flags = parser.parse_args()

    model = new_model(flags)
    plain = copy.deepcopy(model)
    layers = ModuleWrapPolicy({type(model.model.layers[0])})
    reentrant, by_model = flags.use_reentrant == "on", "huggingface" in flags.wrapper
    kind = wrappers.CheckpointImpl["REENTRANT" if reentrant and not by_model else "NO_REENTRANT"]
    wrappers.checkpoint_wrapper = functools.partial(wrappers.checkpoint_wrapper, checkpoint_impl=kind)
    # Lightning's policy takes the wrapper from there too, and has no option for its kind.
    policy = layers if "lightning" in flags.wrapper and flags.fsdp == "on" else None
    fabric = Fabric(
        devices=int(os.environ["WORLD_SIZE"]),
        strategy=FSDPStrategy(auto_wrap_policy=layers, activation_checkpointing_policy=policy),
        precision={"fp32": "32-true", "bf16": "bf16-mixed"}[flags.precision],
    )
    fabric.launch()
    if by_model:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": reentrant})
    wrapped = fabric.setup(model) if flags.fsdp == "on" else model.to(fabric.device)
    if flags.wrapper != "huggingface" and policy is None:
        wrappers.apply_activation_checkpointing(model, wrappers.checkpoint_wrapper, auto_wrap_policy=layers)

    tokens = fabric.to_device(torch.arange(25).view(1, 25))
    with fabric.autocast():
        expected = plain.to(fabric.device)(input_ids=tokens, labels=tokens).loss
        loss = wrapped(input_ids=tokens, labels=tokens).loss
    expected.backward()
    fabric.backward(loss)

    with FSDP.summon_full_params(wrapped, with_grads=True):  # without FSDP there is nothing to gather
        both = zip(wrapped.parameters(), plain.parameters(), strict=True)
        pairs = [(a.grad, b.grad) for a, b in both if b.grad is not None]
        wrong = sum((a.double() - b.double()).square().sum() for a, b in pairs)
    error = (wrong / sum(b.double().square().sum() for _, b in pairs)).sqrt().item()
    loss_error = abs(loss.item() / expected.item() - 1)
    if fabric.global_rank == 0:
        print("measured gradient_relative_error =", error)
        print("measured loss_relative_error =", loss_error)
    tolerance = TOLERANCE[flags.precision]
    assert max(error, loss_error) <= tolerance, f"off by {error:.3g} in gradients, {loss_error:.3g} in loss"
    print(f"oracle passed: loss and gradients equal those without checkpointing within {tolerance:.0e}")


if __name__ == "__main__":
    main()
