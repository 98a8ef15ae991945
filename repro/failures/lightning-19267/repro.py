# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.2.2", "transformers==4.40.2", "accelerate==0.30.1", "lightning==2.2.1", "numpy<2"]
# ///
"""Activation checkpointing from outside a transformers model recomputes its layers with a filled cache.

With ``use_cache`` left on, each decoder layer appends its keys and values to a cache; the recomputation in
backward appends them again.  Non-reentrant checkpointing then raises CheckpointError, 25 tokens saved and 50
recomputed; reentrant checkpointing raises nothing and computes wrong gradients.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/Lightning-AI/pytorch-lightning/issues/19267
"""

import argparse
import copy
import functools
import importlib
import os
import tempfile

import torch
from torch.distributed.algorithms._checkpoint import checkpoint_wrapper as wrappers
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.distributed.fsdp import MixedPrecision
from torch.distributed.fsdp.wrap import ModuleWrapPolicy
from transformers import AutoConfig, AutoModelForCausalLM, Trainer, TrainingArguments, set_seed

TOLERANCE = {"fp32": 1e-5, "bf16": 2.0**-5}  # bf16 resolves 2**-7, and FSDP sums gradients in it
DEVICE = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if torch.cuda.is_available() else torch.device("cpu")


def new_model(flags: argparse.Namespace) -> torch.nn.Module:
    set_seed(0)
    sizes = {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 32, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "num_local_experts": 4}
    config = AutoConfig.for_model(flags.model_family, **sizes, **heads, use_cache=flags.use_cache == "on")
    return AutoModelForCausalLM.from_config(config, attn_implementation=flags.attention).train().to(DEVICE)


def inputs(device: torch.device | None = None) -> dict[str, torch.Tensor]:
    tokens = torch.arange(25, device=device).view(1, 25)
    return {"input_ids": tokens, "labels": torch.where(tokens == 0, -100, tokens)}  # the first has no prediction


class CheckingTrainer(Trainer):
    def training_step(self, model: torch.nn.Module, *rest: object) -> torch.Tensor:
        loss = super().training_step(model, *rest)
        self.check(model, loss)
        return loss


def sharded(model: torch.nn.Module, flags: argparse.Namespace, layers: ModuleWrapPolicy) -> tuple:
    if "lightning" in flags.wrapper:  # the only part that needs lightning
        fabric = importlib.import_module("lightning.fabric")
        policies = {"auto_wrap_policy": layers, "activation_checkpointing_policy": layers}
        precision = {"fp32": "32-true", "bf16": "bf16-mixed"}[flags.precision]
        strategy = fabric.strategies.FSDPStrategy(**policies)
        fabric = fabric.Fabric(devices=int(os.environ["WORLD_SIZE"]), strategy=strategy, precision=precision)
        fabric.launch()
        return fabric.setup(model), fabric.backward
    torch.distributed.init_process_group("nccl" if DEVICE.type == "cuda" else "gloo")
    bf16 = MixedPrecision(torch.bfloat16, torch.bfloat16, torch.bfloat16) if flags.precision == "bf16" else None
    options = {"device_id": DEVICE, "use_orig_params": True, "mixed_precision": bf16}
    wrapped = FSDP(model, auto_wrap_policy=layers, **options) if flags.fsdp == "on" else model
    if flags.wrapper == "torch":
        wrappers.apply_activation_checkpointing(model, wrappers.checkpoint_wrapper, auto_wrap_policy=layers)
    return wrapped, torch.Tensor.backward


def whole(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor  # the Trainer of transformers 5: FSDP2


def check(wrapped: torch.nn.Module, loss: torch.Tensor, plain: torch.nn.Module, precision: str) -> None:
    with torch.autocast(DEVICE.type, torch.bfloat16, enabled=precision == "bf16"):
        expected = plain(**inputs(DEVICE)).loss
    expected.backward()
    with FSDP.summon_full_params(wrapped, with_grads=True):  # without FSDP there is nothing to gather
        both = zip(wrapped.parameters(), plain.parameters(), strict=True)
        pairs = [(whole(a.grad), b.grad) for a, b in both if b.grad is not None]
        wrong = sum((a.double() - b.double()).square().sum() for a, b in pairs)
    error = (wrong / sum(b.double().square().sum() for _, b in pairs)).sqrt().item()
    loss_error = abs(loss.item() / expected.item() - 1)
    if os.environ["RANK"] == "0":
        print("measured gradient_relative_error =", error)
        print("measured loss_relative_error =", loss_error)
    worst, limit = f"off by {error:.3g} in gradients, {loss_error:.3g} in loss", TOLERANCE[precision]
    assert max(error, loss_error) <= limit, worst
    print(f"oracle passed: loss and gradients equal those without checkpointing within {limit:.0e}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fsdp", choices=["on", "off"], default="on")
    wrapper = ["torch", "lightning", "trainer", "huggingface", "lightning+huggingface"]
    parser.add_argument("--wrapper", choices=wrapper, default="torch")
    parser.add_argument("--use-reentrant", choices=["off", "on"], default="off")
    parser.add_argument("--use-cache", choices=["on", "off"], default="on")
    parser.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--model-family", choices=["mixtral", "llama", "qwen2"], default="mixtral")
    flags = parser.parse_args()

    model = new_model(flags)
    layer = type(model.model.layers[0])
    compare = functools.partial(check, plain=copy.deepcopy(model), precision=flags.precision)
    reentrant, by_model = flags.use_reentrant == "on", "huggingface" in flags.wrapper
    kind = wrappers.CheckpointImpl["REENTRANT" if reentrant and not by_model else "NO_REENTRANT"]
    # Lightning's policy takes the wrapper from there too, and has no option for its kind.
    wrappers.checkpoint_wrapper = functools.partial(wrappers.checkpoint_wrapper, checkpoint_impl=kind)
    if by_model:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": reentrant})
    if flags.wrapper == "trainer":  # the only part that needs accelerate
        config = {"transformer_layer_cls_to_wrap": [layer.__name__], "activation_checkpointing": True}
        options = {"fsdp": "full_shard auto_wrap", "fsdp_config": config, "bf16": flags.precision == "bf16"}
        steps = {"max_steps": 1, "per_device_train_batch_size": 1, "save_strategy": "no", "report_to": []}
        rows = [{name: tensor[0] for name, tensor in inputs().items()}] * int(os.environ["WORLD_SIZE"])
        arguments = TrainingArguments(tempfile.gettempdir(), **steps, **options)
        trainer = CheckingTrainer(model, arguments, train_dataset=rows)
        trainer.check = compare
        trainer.train()
        return
    wrapped, backward = sharded(model, flags, ModuleWrapPolicy({layer}))
    with torch.autocast(DEVICE.type, torch.bfloat16, enabled=flags.precision == "bf16"):
        loss = wrapped(**inputs(DEVICE)).loss
    backward(loss)
    compare(wrapped, loss)


if __name__ == "__main__":
    main()
