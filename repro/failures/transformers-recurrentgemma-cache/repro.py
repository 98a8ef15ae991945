# /// script
# requires-python = ">=3.9,<3.13"
# dependencies = ["torch==2.13.0", "transformers==4.53.3"]
# ///
"""RecurrentGemma trains without gradients for its keys and values, as long as the cache is on, which is the default.

The attention layers write keys and values into the cache under ``torch.no_grad`` and go on with what the cache returns.
The loss is right; ``k_proj`` and ``v_proj`` get no gradient, and what lies below them gets a wrong one.

    torchrun --standalone --nproc-per-node 1 repro.py

No upstream issue is known; the code came with https://github.com/huggingface/transformers/pull/30143
"""

import argparse
import copy
import json

import torch
from transformers import AutoConfig, AutoModelForCausalLM

TOLERANCE = 1e-4


def new_model(family: str, blocks: str) -> torch.nn.Module:
    torch.manual_seed(0)
    sizes = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "head_dim": 8}
    kinds = {"both": ["recurrent", "attention"], "recurrent": ["recurrent"], "attention": ["attention"]}[blocks]
    more = {"block_types": kinds, "lru_width": 16} if family == "recurrent_gemma" else {}
    config = AutoConfig.for_model(family, **sizes, num_attention_heads=2, num_key_value_heads=2, **more)
    return AutoModelForCausalLM.from_config(config)


def loss_and_gradients(model: torch.nn.Module) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of one batch, and the gradients by the parameter's name."""
    tokens = torch.arange(2, 26, device="cuda" if torch.cuda.is_available() else "cpu").view(2, 12)
    loss = model.to(tokens.device)(input_ids=tokens, labels=tokens).loss
    loss.backward()
    named = model.named_parameters()
    return loss.item(), {name: value.grad for name, value in named if value.grad is not None}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--use-cache", choices=["on", "off"], default="on")
    parser.add_argument("--gradient-checkpointing", choices=["off", "on"], default="off")
    parser.add_argument("--blocks", choices=["both", "recurrent", "attention"], default="both")
    parser.add_argument("--model-family", choices=["recurrent_gemma", "gemma", "llama"], default="recurrent_gemma")
    parser.add_argument("--mode", choices=["train", "eval"], default="train")
    flags = parser.parse_args()

    plain = new_model(flags.model_family, flags.blocks).train(flags.mode == "train")
    model = copy.deepcopy(plain)
    plain.config.use_cache = False
    model.config.use_cache = flags.use_cache == "on"
    if flags.gradient_checkpointing == "on":
        model.gradient_checkpointing_enable({"use_reentrant": True})

    expected_loss, expected = loss_and_gradients(plain)
    loss, gradients = loss_and_gradients(model)
    missing = sorted(expected.keys() - gradients.keys())
    lost = {name: torch.zeros_like(expected[name]) for name in missing}
    wrong = sum((value - (gradients | lost)[name]).square().sum() for name, value in expected.items())
    error = (wrong / sum(value.square().sum() for value in expected.values())).sqrt().item()
    print("measured gradient_relative_error =", json.dumps(error))
    print("measured loss_error =", json.dumps(abs(loss - expected_loss)))
    print("measured parameters_without_gradient =", json.dumps(missing))
    said = f"{len(missing)} parameters without a gradient, gradients off by {error:.3g}"
    assert not missing and error <= TOLERANCE and abs(loss - expected_loss) <= TOLERANCE, said
    print(f"oracle passed: loss and gradients equal those without a cache within {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
