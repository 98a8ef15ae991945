# /// script
# requires-python = ">=3.10,<3.12"
# dependencies = ["torch==2.2.2", "transformers==4.40.2", "accelerate==0.30.1", "numpy<2"]
# ///
"""With gradient accumulation the Trainer's loss is a mean over micro-batches of means over tokens.

A token of a micro-batch with few labels weighs more than one of a micro-batch with many.  The update is not that of the
same samples in one batch, unless every micro-batch happens to have as many labels.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/transformers/issues/24725
"""

import argparse
import json
import os
import tempfile

import torch
import transformers
from torch.utils.data import SequentialSampler

SAMPLES, LENGTH, VOCABULARY = 8, 8, 32
PLAIN = {"max_steps": 1, "max_grad_norm": 0.0, "save_strategy": "no", "report_to": []}


class InOrder(transformers.Trainer):
    def _get_train_sampler(self, *_: object) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)


def new_model(flags: argparse.Namespace) -> torch.nn.Module:
    torch.manual_seed(0)
    sizes = {"vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    if flags.model == "bert":
        dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "num_labels": VOCABULARY}
        model = transformers.BertForTokenClassification(
            transformers.BertConfig(**sizes, **dropout, intermediate_size=32)
        )
    else:
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, intermediate_size=32))
    return model.to(getattr(torch, flags.dtype))


def samples(lengths: str) -> list[dict[str, torch.Tensor]]:
    """The second half of the samples has a label for its last token only; or all have as many."""
    tokens = torch.randint(1, VOCABULARY, (SAMPLES, LENGTH), generator=torch.Generator().manual_seed(1))
    labels = tokens.clone()
    labels[:, 0] = -100  # it is never predicted, and the Trainer of some releases would count it
    if lengths == "unequal":
        labels[SAMPLES // 2 :, : LENGTH - 1] = -100
    return [{"input_ids": one, "labels": label} for one, label in zip(tokens, labels)]


def dealt(data: list[dict[str, torch.Tensor]], size: int, ranks: int) -> list[dict[str, torch.Tensor]]:
    """In the order in which the Trainer gives each rank its part of a micro-batch, all with as many labels."""
    parts = [data[index : index + size] for index in range(0, len(data), size)]
    return [sample for part in parts for rank in range(ranks) for sample in part[rank::ranks]]


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach().cpu().clone()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=["llama", "bert"], default="llama")
    parser.add_argument("--lengths", choices=["unequal", "equal"], default="unequal")
    parser.add_argument("--accumulation", choices=["2", "4", "1"], default="2")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--optimizer", choices=["sgd", "adamw"], default="sgd")
    flags = parser.parse_args()
    optimizer = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[flags.optimizer]
    data, steps, ranks = samples(flags.lengths), int(flags.accumulation), int(os.environ["WORLD_SIZE"])

    model = new_model(flags)  # the reference: one plain step over all samples in one batch
    start = weights(model)
    model(**{key: torch.stack([sample[key] for sample in data]) for key in data[0]}).loss.backward()
    optimizer(model.parameters(), lr=0.01).step()
    expected = weights(model) - start

    model = new_model(flags)
    options = {"per_device_train_batch_size": SAMPLES // steps // ranks, "gradient_accumulation_steps": steps}
    use_cpu = not torch.cuda.is_available()
    arguments = transformers.TrainingArguments(tempfile.mkdtemp(), use_cpu=use_cpu, **options, **PLAIN)
    optimizers = optimizer(model.parameters(), lr=0.01), None
    data = dealt(data, SAMPLES // steps, ranks)
    InOrder(model, arguments, train_dataset=data, optimizers=optimizers).train()
    update = weights(model) - start
    difference = ((update - expected).norm() / expected.norm()).item()
    scale = (update @ expected / (expected @ expected)).item()
    direction = ((update / scale - expected).norm() / expected.norm()).item()
    print("measured relative_difference =", json.dumps(round(difference, 4)))
    assert direction < 1e-3, f"the update is off by {difference:.3f} of that of a mean over all tokens"
    assert difference < 1e-3, f"the update is {scale:.3f} times that of a mean over all tokens"  # another failure
    print(f"oracle passed: the update is that of the mean over all tokens, relative difference {difference:.1e}")


if __name__ == "__main__":
    main()
