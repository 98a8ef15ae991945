# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.6.0", "transformers==4.47.1", "accelerate==1.4.0", "numpy"]
# ///
"""The Trainer multiplies the evaluation loss by the number of ranks.

With average_tokens_across_devices each loss is multiplied by the ranks, since it was divided by the tokens of all of
them.  In an evaluation nothing was divided: each rank has the mean over its own tokens.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/transformers/issues/35078
"""

import argparse
import json
import os
import tempfile

import torch
import transformers
from torch.optim import SGD

SAMPLES, LENGTH, VOCABULARY = 8, 8, 64
CPU, OPTION = not torch.cuda.is_available(), "average_tokens_across_devices"
SIZES = {"vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
PLAIN = {"max_steps": 1, "max_grad_norm": 0.0, "disable_tqdm": True, "save_strategy": "no", "report_to": []}


def new_model(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    if name == "bert":
        dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        config = transformers.BertConfig(**SIZES, **dropout, intermediate_size=32, num_labels=3)
        return transformers.BertForSequenceClassification(config)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES, intermediate_size=32))


def samples(name: str) -> list[dict[str, torch.Tensor]]:
    """Sequences of equal lengths: the mean over ranks and batches is the mean over all tokens."""
    tokens = torch.randint(1, VOCABULARY, (SAMPLES, LENGTH), generator=torch.Generator().manual_seed(1))
    labels = torch.arange(SAMPLES) % 3 if name == "bert" else tokens.clone()
    if name != "bert":
        labels[:, 0] = -100  # it is never predicted, and the Trainer of some releases would count it
    return [{"input_ids": one, "labels": label} for one, label in zip(tokens, labels)]


def mean_loss(outputs, labels, num_items_in_batch=None) -> torch.Tensor:
    logits = outputs["logits"]
    if logits.dim() == 3:
        logits, labels = logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
    return torch.nn.functional.cross_entropy(logits, labels)


def count_loss(outputs, labels, num_items_in_batch=None) -> torch.Tensor:
    loss = mean_loss(outputs, labels)
    return loss if num_items_in_batch is None else loss * (labels != -100).sum() / num_items_in_batch


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach().cpu().clone()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=["llama", "bert"], default="llama")
    parser.add_argument("--average-tokens", choices=["on", "off", "unset"], default="on")
    parser.add_argument("--loss", choices=["model", "mean", "count"], default="model")
    flags = parser.parse_args()
    data, ranks = samples(flags.model), int(os.environ["WORLD_SIZE"])

    def trainer(model: torch.nn.Module) -> transformers.Trainer:
        options = {"on": {OPTION: True}, "off": {OPTION: False}, "unset": {}}[flags.average_tokens]
        batches = {"per_device_train_batch_size": SAMPLES // ranks, "per_device_eval_batch_size": 2}
        arguments = transformers.TrainingArguments(tempfile.mkdtemp(), **batches, **options, **PLAIN, use_cpu=CPU)
        loss = {"model": None, "mean": mean_loss, "count": count_loss}[flags.loss]
        sgd = SGD(model.parameters(), lr=0.01)
        return transformers.Trainer(model, arguments, None, data, data, optimizers=(sgd, None), compute_loss_func=loss)

    model = new_model(flags.model)  # the reference: all samples in one batch, and one plain step
    before = weights(model)
    loss = model(**{key: torch.stack([sample[key] for sample in data]) for key in data[0]}).loss
    loss.backward()
    SGD(model.parameters(), lr=0.01).step()
    expected = weights(model) - before

    trainer(model := new_model(flags.model)).train()
    ratio = ((weights(model) - before).norm() / expected.norm()).item()
    evaluated = trainer(new_model(flags.model)).evaluate()["eval_loss"] / loss.item()
    print("measured update_ratio =", json.dumps(round(ratio, 3)))
    print("measured loss_ratio =", json.dumps(round(evaluated, 3)))
    right = abs(evaluated - 1) < 1e-3
    assert right, f"the evaluation loss is {evaluated:.3f} times that of the same samples in one process"
    print("oracle passed: the evaluation loss is that of the same samples in one process")


if __name__ == "__main__":
    main()
