# /// script
# requires-python = ">=3.10"
# dependencies = ["torch==2.15.0", "transformers==5.23.0", "accelerate==1.15.0"]
# ///
"""The Trainer's updates are as many times too large as there are accumulation steps and ranks.

The Trainer leaves the division of the loss to every model whose ``forward`` takes ``**kwargs``.  Classification
heads (BERT, RoBERTa, DistilBERT, T5, Llama) take them and ignore ``num_items_in_batch``: their loss is a plain mean
that nobody divides by the number of accumulation steps, and that is then multiplied by the number of ranks.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/transformers/issues/47688
"""

import argparse
import json
import os
import tempfile

import torch
import transformers

SIZES = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "num_labels": 3}
PLAIN = {"max_steps": 1, "logging_steps": 1, "max_grad_norm": 0.0, "save_strategy": "no", "report_to": []}


def new_model(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    if name == "bert":
        dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        return transformers.BertForSequenceClassification(
            transformers.BertConfig(**SIZES, **dropout, intermediate_size=32)
        )
    return transformers.LlamaForSequenceClassification(
        transformers.LlamaConfig(**SIZES, pad_token_id=0, intermediate_size=32)
    )


def samples() -> list[dict[str, torch.Tensor]]:
    tokens = torch.randint(1, 64, (8, 6), generator=torch.Generator().manual_seed(1))
    return [{"input_ids": row, "labels": index % 3} for index, row in enumerate(tokens)]


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach().cpu().clone()


def optimizer(name: str, model: torch.nn.Module) -> torch.optim.Optimizer:
    return (torch.optim.SGD if name == "sgd" else torch.optim.AdamW)(model.parameters(), lr=0.01)


def plain_update(flags: argparse.Namespace) -> tuple[torch.Tensor, float]:
    """One step over all samples in one batch, without the Trainer: the change of the weights, and the loss."""
    model = new_model(flags.model)
    before = weights(model)
    tokens = torch.stack([row["input_ids"] for row in samples()])
    loss = model(input_ids=tokens, labels=torch.tensor([row["labels"] for row in samples()])).loss
    loss.backward()
    optimizer(flags.optimizer, model).step()
    return weights(model) - before, loss.item()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=["bert", "llama"], default="bert")
    parser.add_argument("--accumulation", choices=["2", "4", "1"], default="2")
    parser.add_argument("--optimizer", choices=["sgd", "adamw"], default="sgd")
    parser.add_argument("--average-tokens", choices=["on", "off"], default="on")
    parser.add_argument("--accepts-loss-kwargs", choices=["inferred", "false"], default="inferred")
    flags = parser.parse_args()
    expected, loss = plain_update(flags)
    model = new_model(flags.model)
    if flags.accepts_loss_kwargs == "false":
        model.accepts_loss_kwargs = False  # the Trainer's own switch
    before = weights(model)
    steps, ranks = int(flags.accumulation), int(os.environ["WORLD_SIZE"])
    arguments = transformers.TrainingArguments(
        tempfile.mkdtemp(),
        per_device_train_batch_size=8 // steps // ranks,
        gradient_accumulation_steps=steps,
        average_tokens_across_devices=flags.average_tokens == "on",
        use_cpu=not torch.cuda.is_available(),
        **PLAIN,
    )
    optimizers = optimizer(flags.optimizer, model), None
    trainer = transformers.Trainer(model, arguments, train_dataset=samples(), optimizers=optimizers)
    trainer.train()
    update = weights(model) - before
    ratio, difference = (vector.norm().item() / expected.norm().item() for vector in (update, update - expected))
    logged = next(entry["loss"] for entry in trainer.state.log_history if "loss" in entry)
    print("measured update_ratio =", json.dumps(round(ratio, 3)))
    print("measured relative_difference =", json.dumps(round(difference, 4)))
    print("measured logged_loss_ratio =", json.dumps(round(logged / loss, 3)))
    assert difference < 1e-2, f"the update is {ratio:.3f} times that of one batch of all samples"
    print(f"oracle passed: the update equals that of one batch of all samples, relative difference {difference:.1e}")


if __name__ == "__main__":
    main()
