# /// script
# requires-python = ">=3.9,<3.13"
# dependencies = ["torch==2.6.0", "transformers==4.49.0"]
# ///
"""UMT5 with gradient checkpointing trains without its layers.

``UMT5Stack.forward`` throws the output of every checkpointed block away, so the loss is that of a model without
blocks: no block gets a gradient, and neither does the encoder.  Nothing is raised.

    torchrun --standalone --nproc-per-node 1 repro.py

No upstream issue is known; the code came with https://github.com/huggingface/transformers/pull/24477
"""

import argparse
import copy
import json

import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM

TOLERANCE = 1e-5


def new_model(family: str) -> torch.nn.Module:
    torch.manual_seed(0)
    sizes = {"vocab_size": 64, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_heads": 2, "num_layers": 2}
    config = AutoConfig.for_model(family, **sizes, dropout_rate=0.0, decoder_start_token_id=0)
    return AutoModelForSeq2SeqLM.from_config(config)


def loss_and_gradients(model: torch.nn.Module) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of one batch, and the gradients by the parameter's name."""
    tokens = torch.arange(2, 26, device="cuda" if torch.cuda.is_available() else "cpu").view(2, 12)
    loss = model.to(tokens.device)(input_ids=tokens, labels=tokens.flip(1)).loss
    loss.backward()
    named = model.named_parameters()
    return loss.item(), {name: value.grad for name, value in named if value.grad is not None}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gradient-checkpointing", choices=["on", "off"], default="on")
    parser.add_argument("--use-reentrant", choices=["on", "off"], default="on")
    parser.add_argument("--model-family", choices=["umt5", "t5", "mt5"], default="umt5")
    parser.add_argument("--mode", choices=["train", "eval"], default="train")
    parser.add_argument("--use-cache", choices=["on", "off"], default="on")
    flags = parser.parse_args()

    plain = new_model(flags.model_family).train(flags.mode == "train")
    plain.config.use_cache = flags.use_cache == "on"
    model = copy.deepcopy(plain)
    if flags.gradient_checkpointing == "on":
        model.gradient_checkpointing_enable({"use_reentrant": flags.use_reentrant == "on"})

    expected_loss, expected = loss_and_gradients(plain)
    loss, gradients = loss_and_gradients(model)
    missing = sorted(expected.keys() - gradients.keys())
    lost = {name: torch.zeros_like(expected[name]) for name in missing}
    wrong = sum((value - (gradients | lost)[name]).square().sum() for name, value in expected.items())
    error = (wrong / sum(value.square().sum() for value in expected.values())).sqrt().item()
    loss_error = abs(loss - expected_loss)
    in_blocks = [name for name in expected if ".block." in name]
    facts = {"gradient_relative_error": error, "loss_error": loss_error, "parameters_without_gradient": len(missing)}
    facts |= {"parameters_in_blocks": len(in_blocks), "blocks_without_gradient": set(in_blocks) <= set(missing)}
    for name, value in facts.items():
        print(f"measured {name} = {json.dumps(value)}")
    said = f"{len(missing)} parameters without a gradient, gradients off by {error:.3g}, loss by {loss_error:.3g}"
    assert not missing and max(error, loss_error) <= TOLERANCE, said
    print(f"oracle passed: loss and gradients equal those without checkpointing within {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
