# /// script
# requires-python = ">=3.9,<3.13"
# dependencies = ["torch==2.6.0", "transformers==4.49.0", "accelerate==1.4.0"]
# ///
"""The Trainer cannot save a weights-only checkpoint from FSDP with a sharded state dict.

With ``save_only_model=True`` and ``SHARDED_STATE_DICT`` nothing saves the model or makes the checkpoint's
folder, so rank 0 fails with FileNotFoundError when it writes ``trainer_state.json``.  Making the folder
beforehand hides the error: the checkpoint then holds no weights.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/transformers/issues/36626
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments, set_seed


def new_model(seed: int) -> LlamaForCausalLM:
    set_seed(seed)
    sizes = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 32}
    return LlamaForCausalLM(LlamaConfig(**sizes, num_hidden_layers=2, num_attention_heads=2))


def load(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The weights of a checkpoint, loaded into a fresh model."""
    if not (shards := checkpoint / "pytorch_model_fsdp_0").is_dir():
        return LlamaForCausalLM.from_pretrained(checkpoint).state_dict()
    state = new_model(seed=1).state_dict()
    dcp.load({"model": state}, storage_reader=dcp.FileSystemReader(shards))
    return state


def run(flags: argparse.Namespace, folder: Path) -> None:
    state_dict_type = {"sharded": "SHARDED_STATE_DICT", "full": "FULL_STATE_DICT"}[flags.state_dict_type]
    os.environ["FSDP_STATE_DICT_TYPE"] = state_dict_type  # transformers 5 takes it from fsdp_config instead
    config = {"transformer_layer_cls_to_wrap": ["LlamaDecoderLayer"], "state_dict_type": state_dict_type}
    sharding = {"fsdp": "full_shard auto_wrap", "fsdp_config": config} if flags.fsdp == "on" else {}
    saving = {"save_only_model": flags.save_only_model == "on", "save_steps": 1, "max_steps": 1}
    arguments = TrainingArguments(str(folder), report_to=[], **saving, **sharding)
    checkpoint = folder / "checkpoint-1"
    if flags.make_folder == "on":
        checkpoint.mkdir(parents=True, exist_ok=True)

    data = [{"input_ids": row, "labels": row} for row in torch.arange(64).view(8, 8)]
    trainer = Trainer(model=new_model(seed=0), args=arguments, train_dataset=data)
    trainer.train()

    trained = trainer.accelerator.get_state_dict(trainer.model_wrapped)  # complete on rank 0
    files = sorted(str(path.relative_to(checkpoint)) for path in checkpoint.rglob("*") if path.is_file())
    dist.broadcast_object_list(facts := [{name: tensor.cpu() for name, tensor in trained.items()}, files])
    trained, files = facts
    if dist.get_rank() == 0:
        print("measured checkpoint_files =", json.dumps(files))
    assert any("model" in name for name in files), f"no weights in the checkpoint, only {files}"
    loaded = load(checkpoint)
    dist.barrier()  # rank 0 removes the folder
    different = [name for name in trained if not torch.equal(trained[name], loaded[name])]
    assert loaded.keys() == trained.keys() and not different, f"weights differ once loaded: {different}"
    print(f"oracle passed: the checkpoint's {len(loaded)} tensors equal the trained model's, bit for bit")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state-dict-type", choices=["sharded", "full"], default="sharded")
    parser.add_argument("--save-only-model", choices=["on", "off"], default="on")
    parser.add_argument("--make-folder", choices=["off", "on"], default="off")
    parser.add_argument("--fsdp", choices=["on", "off"], default="on")
    flags = parser.parse_args()
    folder = Path(tempfile.gettempdir(), f"checkpoints-{os.environ['TORCHELASTIC_RUN_ID']}")
    try:
        run(flags, folder)
    finally:
        if os.environ["RANK"] == "0":
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
