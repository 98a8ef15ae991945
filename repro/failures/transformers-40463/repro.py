# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "transformers==4.53.3", "accelerate==1.9.0", "numpy"]
# ///
"""The Trainer counts the parameters of one rank's shard and prints them as those of the model.

Under FSDP1 each rank holds a part of each parameter.  The Trainer counts after it has wrapped the model, so that its
log states a fraction of the "Number of trainable parameters", by the number of ranks.  Training itself is right.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/transformers/issues/40463
"""

import argparse
import json
import tempfile

import torch
import torch.distributed as dist
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments, set_seed

RATE, TOLERANCE = 0.1, 1e-5
PLAIN = {"max_steps": 1, "max_grad_norm": 0.0, "save_strategy": "no", "report_to": [], "log_level": "info"}


def new_model() -> LlamaForCausalLM:
    set_seed(0)
    sizes = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 32}
    return LlamaForCausalLM(LlamaConfig(**sizes, num_hidden_layers=2, num_attention_heads=2))


def samples() -> list[dict[str, torch.Tensor]]:
    tokens = torch.arange(64).view(8, 8)
    labels = tokens.clone()
    labels[:, 0] = -100  # it is never predicted, and the Trainer of some releases would count it
    return [{"input_ids": one, "labels": label} for one, label in zip(tokens, labels)]


def reference() -> dict[str, torch.Tensor]:
    """The weights after one plain step over all samples in one process."""
    model = new_model()
    model(
        **{key: torch.stack([sample[key] for sample in samples()]) for key in ("input_ids", "labels")}
    ).loss.backward()
    torch.optim.SGD(model.parameters(), lr=RATE).step()
    return model.state_dict()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sharding", choices=["fsdp1", "fsdp2", "ddp"], default="fsdp1")
    flags = parser.parse_args()
    config = {"version": int(flags.sharding[-1]) if flags.sharding != "ddp" else 1}
    config["transformer_layer_cls_to_wrap"] = ["LlamaDecoderLayer"]
    sharding = {"fsdp": "full_shard auto_wrap", "fsdp_config": config} if flags.sharding != "ddp" else {}
    arguments = TrainingArguments(
        tempfile.mkdtemp(), per_device_train_batch_size=4, optim="sgd", learning_rate=RATE, **PLAIN, **sharding
    )
    trainer = Trainer(model=new_model(), args=arguments, train_dataset=samples())
    trainer.train()

    trained = trainer.accelerator.get_state_dict(trainer.model_wrapped)  # complete on rank 0
    dist.broadcast_object_list(facts := [{name: tensor.cpu() for name, tensor in trained.items()}])
    expected, found = reference(), {name.removeprefix("module."): value for name, value in facts[0].items()}
    here = sum(parameter.numel() for parameter in trainer.model_wrapped.parameters())
    print("measured parameters_of_the_model =", json.dumps(sum(one.numel() for one in new_model().parameters())))
    print("measured parameters_counted_here =", json.dumps(here))
    assert found.keys() == expected.keys(), f"other names: {sorted(found.keys() ^ expected.keys())}"
    difference = max(float((found[name] - expected[name]).abs().max()) for name in expected)
    assert difference < TOLERANCE, f"the weights differ by {difference:.2e} from those of one process"
    print(f"oracle passed: the weights are those of one process within {TOLERANCE}")


if __name__ == "__main__":
    main()
