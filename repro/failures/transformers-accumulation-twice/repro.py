# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "transformers==5.5.3", "accelerate==1.13.0", "numpy==2.2.3"]
# ///
"""With gradient accumulation the Trainer's gradients are divided twice: by the Trainer's count and by accelerate.

The update is as many times too small as there are accumulation steps.  The logged loss is right.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/transformers/issues/40709
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
    if name == "bert":
        dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        config = transformers.BertConfig(**SIZES, **dropout, intermediate_size=32, num_labels=3)
        return transformers.BertForSequenceClassification(config)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES, intermediate_size=32))


def samples(name: str) -> list[dict[str, torch.Tensor]]:
    """Sequences of equal lengths: the mean over micro-batches is the mean over all tokens."""
    tokens = torch.randint(1, VOCABULARY, (SAMPLES, LENGTH), generator=torch.Generator().manual_seed(1))
    labels = torch.arange(SAMPLES) % 3 if name == "bert" else tokens.clone()
    if name == "llama":
        labels[:, 0] = -100  # it is never predicted, and the Trainer of some releases would count it
    return [{"input_ids": one, "labels": label} for one, label in zip(tokens, labels)]


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach().cpu().clone()


def optimizer(name: str, model: torch.nn.Module) -> torch.optim.Optimizer:
    return (torch.optim.SGD if name == "sgd" else torch.optim.AdamW)(model.parameters(), lr=0.01)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=["llama", "bert"], default="llama")
    parser.add_argument("--accumulation", choices=["2", "4", "1"], default="2")
    parser.add_argument("--optimizer", choices=["sgd", "adamw"], default="sgd")
    parser.add_argument("--steps-of-accelerate", choices=["as-made", "one"], default="as-made")
    flags = parser.parse_args()
    data, steps, ranks = samples(flags.model), int(flags.accumulation), int(os.environ["WORLD_SIZE"])

    model = new_model(flags.model)  # the reference: one plain step over all samples in one batch
    start = weights(model)
    loss = model(**{key: torch.stack([sample[key] for sample in data]) for key in data[0]}).loss
    loss.backward()
    optimizer(flags.optimizer, model).step()
    expected = weights(model) - start

    model = new_model(flags.model)
    options = {"per_device_train_batch_size": SAMPLES // steps // ranks, "gradient_accumulation_steps": steps}
    use_cpu = not torch.cuda.is_available()
    arguments = transformers.TrainingArguments(
        tempfile.mkdtemp(), use_cpu=use_cpu, max_grad_norm=0.0, **options, **PLAIN
    )
    optimizers = optimizer(flags.optimizer, model), None
    trainer = transformers.Trainer(model, arguments, train_dataset=data, optimizers=optimizers)
    if flags.steps_of_accelerate == "one":
        trainer.accelerator.gradient_accumulation_steps = 1
    trainer.train()
    update = weights(model) - start
    ratio, difference = (vector.norm().item() / expected.norm().item() for vector in (update, update - expected))
    logged = next(entry["loss"] for entry in trainer.state.log_history if "loss" in entry) / loss.item()
    print("measured update_ratio =", json.dumps(round(ratio, 3)))
    print("measured relative_difference =", json.dumps(round(difference, 4)))
    print("measured logged_loss_ratio =", json.dumps(round(logged, 3)))
    assert difference < 1e-3, f"the update is {ratio:.3f} times that of one batch of all samples"
    print(f"oracle passed: the update equals that of one batch of all samples, relative difference {difference:.1e}")


if __name__ == "__main__":
    main()
