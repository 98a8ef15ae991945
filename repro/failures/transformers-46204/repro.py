# /// script
# requires-python = ">=3.10"
# dependencies = ["torch==2.15.0", "transformers==5.23.0", "accelerate==1.15.0"]
# ///
"""The Trainer divides the loss of a language model by one token more for each sequence than it predicts.

``num_items_in_batch`` counts every label.  The loss of a causal language model shifts the labels by one, so that the
first token of a sequence is never predicted.  Loss and gradients are (L-1)/L of the right ones for L tokens.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/transformers/pull/46204
"""

import argparse
import json
import os
import tempfile

import torch
import transformers

SAMPLES, VOCABULARY = 8, 32
PLAIN = {"max_steps": 1, "logging_steps": 1, "max_grad_norm": 0.0, "save_strategy": "no", "report_to": []}


def new_model(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    sizes = {"vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    if name == "gpt2":
        dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        return transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, **dropout, n_positions=64))
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, intermediate_size=32))


def samples(flags: argparse.Namespace) -> list[dict[str, torch.Tensor]]:
    shape = SAMPLES, int(flags.length)
    tokens = torch.randint(1, VOCABULARY, shape, generator=torch.Generator().manual_seed(1))
    labels = tokens.clone()
    if flags.first_label == "ignored":
        labels[:, 0] = -100
    return [{"input_ids": one, "labels": label} for one, label in zip(tokens, labels)]


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach().cpu().clone()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=["gpt2", "llama"], default="gpt2")
    parser.add_argument("--length", choices=["8", "64"], default="8")
    parser.add_argument("--first-label", choices=["counted", "ignored"], default="counted")
    flags = parser.parse_args()
    data, ranks = samples(flags), int(os.environ["WORLD_SIZE"])

    model = new_model(flags.model)  # the reference: one plain step over all samples in one batch
    start = weights(model)
    loss = model(**{key: torch.stack([sample[key] for sample in data]) for key in data[0]}).loss
    loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.01).step()
    expected = weights(model) - start

    model = new_model(flags.model)
    options = {"per_device_train_batch_size": SAMPLES // ranks, "per_device_eval_batch_size": SAMPLES // ranks}
    arguments = transformers.TrainingArguments(
        tempfile.mkdtemp(), use_cpu=not torch.cuda.is_available(), **options, **PLAIN
    )
    optimizers = torch.optim.SGD(model.parameters(), lr=0.01), None
    trainer = transformers.Trainer(model, arguments, train_dataset=data, optimizers=optimizers)
    trainer.train()
    update = weights(model) - start
    logged = next(entry["loss"] for entry in trainer.state.log_history if "loss" in entry) / loss.item()
    ratio, difference = (vector.norm().item() / expected.norm().item() for vector in (update, update - expected))
    evaluating = transformers.Trainer(new_model(flags.model), arguments, eval_dataset=data)
    evaluated = evaluating.evaluate()["eval_loss"] / loss.item()
    print("measured update_ratio =", json.dumps(round(ratio, 3)))
    print("measured logged_loss_ratio =", json.dumps(round(logged, 3)))
    print("measured eval_loss_ratio =", json.dumps(round(evaluated, 3)))
    assert difference < 1e-3, f"the update is {ratio:.3f} times that of a mean over the predicted tokens"
    assert abs(evaluated - 1) < 1e-3, f"the evaluation loss is {evaluated:.3f} times the mean over the predicted tokens"
    print(f"oracle passed: update and evaluation loss are those of a plain step, relative difference {difference:.1e}")


if __name__ == "__main__":
    main()
