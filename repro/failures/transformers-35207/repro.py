# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.6.0", "transformers==4.47.1", "accelerate==1.4.0", "numpy"]
# ///
"""The Trainer's gradients are as many times too large as there are accumulation steps.

The Trainer divides the loss of a micro-batch no longer, and leaves that to the model.  A model whose ``forward`` takes
no further arguments for its loss, such as GPT-2 or BERT, does not divide it either.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/transformers/pull/35207
"""

import argparse
import json
import os
import tempfile

import torch
import transformers

SAMPLES, LENGTH, VOCABULARY = 8, 8, 64
SIZES = {"vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
PLAIN = {"max_steps": 1, "logging_steps": 1, "save_strategy": "no", "report_to": []}


def new_model(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    if name == "gpt2":
        dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        sizes = {"vocab_size": VOCABULARY, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": LENGTH}
        return transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, **dropout))
    if name == "bert":
        dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        config = transformers.BertConfig(**SIZES, **dropout, intermediate_size=32, num_labels=3)
        return transformers.BertForSequenceClassification(config)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES, intermediate_size=32))


def samples(name: str) -> list[dict[str, torch.Tensor]]:
    """Sequences of equal lengths: the mean over micro-batches is the mean over all tokens."""
    tokens = torch.randint(1, VOCABULARY, (SAMPLES, LENGTH), generator=torch.Generator().manual_seed(1))
    labels = torch.arange(SAMPLES) % 3 if name == "bert" else tokens.clone()
    if name != "bert":
        labels[:, 0] = -100  # it is never predicted, and the Trainer would count it
    return [{"input_ids": one, "labels": label} for one, label in zip(tokens, labels)]


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach().cpu().clone()


def optimizer(name: str, model: torch.nn.Module) -> torch.optim.Optimizer:
    return (torch.optim.SGD if name == "sgd" else torch.optim.AdamW)(model.parameters(), lr=0.01)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=["gpt2", "bert", "llama"], default="gpt2")
    parser.add_argument("--accumulation", choices=["2", "4", "1"], default="2")
    parser.add_argument("--optimizer", choices=["sgd", "adamw"], default="sgd")
    parser.add_argument("--clip", choices=["off", "1.0"], default="off")
    flags = parser.parse_args()
    data, steps, ranks = samples(flags.model), int(flags.accumulation), int(os.environ["WORLD_SIZE"])
    limit = 0.0 if flags.clip == "off" else float(flags.clip)

    model = new_model(flags.model)  # the reference: one plain step over all samples in one batch
    start = weights(model)
    loss = model(**{key: torch.stack([sample[key] for sample in data]) for key in data[0]}).loss
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), limit or float("inf"))
    optimizer(flags.optimizer, model).step()
    expected = weights(model) - start

    model = new_model(flags.model)
    options = {"per_device_train_batch_size": SAMPLES // steps // ranks, "gradient_accumulation_steps": steps}
    use_cpu = not torch.cuda.is_available()
    arguments = transformers.TrainingArguments(
        tempfile.mkdtemp(), use_cpu=use_cpu, max_grad_norm=limit, **options, **PLAIN
    )
    optimizers = optimizer(flags.optimizer, model), None
    trainer = transformers.Trainer(model, arguments, train_dataset=data, optimizers=optimizers)
    trainer.train()
    update = weights(model) - start
    ratio, difference = (vector.norm().item() / expected.norm().item() for vector in (update, update - expected))
    logged = next(entry["loss"] for entry in trainer.state.log_history if "loss" in entry) / loss.item()
    print("measured gradient_norm =", json.dumps(round(norm.item(), 3)))
    print("measured update_ratio =", json.dumps(round(ratio, 3)))
    print("measured relative_difference =", json.dumps(round(difference, 4)))
    print("measured logged_loss_ratio =", json.dumps(round(logged, 3)))
    assert difference < 1e-3, f"the update is {ratio:.3f} times that of one batch of all samples"
    print(f"oracle passed: the update equals that of one batch of all samples, relative difference {difference:.1e}")


if __name__ == "__main__":
    main()
