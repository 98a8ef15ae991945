# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "transformers==4.53.3", "accelerate==1.9.0", "numpy"]
# ///
"""The Trainer averages the loss over the tokens of each rank, and then over the ranks.

A token of a rank with few tokens weighs more than one of a rank with many.  The update is not that of the same samples
on one rank, unless every rank happens to have as many labels.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/transformers/issues/39392
"""

import argparse
import json
import os
import tempfile

import torch
import transformers

SAMPLES, LENGTH, VOCABULARY = 8, 8, 32
OPTION = "average_tokens_across_devices"
PLAIN = {"max_steps": 1, "max_grad_norm": 0.0, "save_strategy": "no", "report_to": []}


def new_model() -> torch.nn.Module:
    torch.manual_seed(0)
    sizes = {"vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, intermediate_size=32))


def samples(lengths: str) -> list[dict[str, torch.Tensor]]:
    """One sample has labels for all its tokens, the others for their last one; or all have as many."""
    tokens = torch.randint(1, VOCABULARY, (SAMPLES, LENGTH), generator=torch.Generator().manual_seed(1))
    labels = tokens.clone()
    labels[:, 0] = -100  # it is never predicted, and the Trainer of some releases would count it
    if lengths == "unequal":
        labels[1:, : LENGTH - 1] = -100
    return [{"input_ids": one, "labels": label} for one, label in zip(tokens, labels)]


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach().cpu().clone()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lengths", choices=["unequal", "equal"], default="unequal")
    parser.add_argument("--average-tokens", choices=["default", "on", "off"], default="default")
    parser.add_argument("--accumulation", choices=["1", "2"], default="1")
    flags = parser.parse_args()
    data, steps, ranks = samples(flags.lengths), int(flags.accumulation), int(os.environ["WORLD_SIZE"])

    model = new_model()  # the reference: one plain step over all samples in one batch
    start = weights(model)
    model(**{key: torch.stack([sample[key] for sample in data]) for key in data[0]}).loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.01).step()
    expected = weights(model) - start

    model = new_model()
    options = {"per_device_train_batch_size": SAMPLES // steps // ranks, "gradient_accumulation_steps": steps}
    if flags.average_tokens != "default":
        options[OPTION] = flags.average_tokens == "on"
    arguments = transformers.TrainingArguments(
        tempfile.mkdtemp(), use_cpu=not torch.cuda.is_available(), **options, **PLAIN
    )
    optimizers = torch.optim.SGD(model.parameters(), lr=0.01), None
    transformers.Trainer(model, arguments, train_dataset=data, optimizers=optimizers).train()
    update = weights(model) - start
    difference = ((update - expected).norm() / expected.norm()).item()
    print("measured relative_difference =", json.dumps(round(difference, 4)))
    assert difference < 1e-3, f"the update is off by {difference:.3f} of that of a mean over all tokens"
    print(f"oracle passed: the update is that of the mean over all tokens, relative difference {difference:.1e}")


if __name__ == "__main__":
    main()
