"""Logs of other failures, made from templates: none of them shows a documented failure, some come close."""

import random
from collections.abc import Iterator

from repro.catalog.check_signature import ForeignError, foreign_errors

SITE = "/opt/venv/lib/python3.11/site-packages/"
FILES = {
    "torch": "torch/nn/modules/module.py",
    "lightning": "lightning/pytorch/trainer/trainer.py",
    "transformers": "transformers/trainer.py",
    "accelerate": "accelerate/accelerator.py",
}
OTHERS = (
    "pandas", "numpy", "wandb", "datasets", "huggingface_hub", "hydra", "ray", "vllm", "PIL", "requests", "urllib3",
    "tokenizers", "deepspeed", "flash_attn", "boto3", "sqlalchemy", "pydantic", "matplotlib", "scipy", "sklearn",
)  # fmt: skip
RECOMPUTED = (
    "torch.utils.checkpoint.CheckpointError: torch.utils.checkpoint: Recomputed values for the following tensors have "
    "different metadata than during the forward pass.\ntensor at position 5:\n"
    "saved metadata: {{'shape': torch.Size([{0}]), 'dtype': torch.bfloat16, 'device': device(type='cuda', index=0)}}\n"
    "recomputed metadata: {{'shape': torch.Size([{1}]), 'dtype': torch.{2}, 'device': device(type='cuda', index=0)}}"
)
MESSAGES = (
    "KeyError: 'input_ids'",
    "KeyError: 'state_dict'",
    "KeyError: 'optimizer_state'",
    "KeyError: 'optimizer'",
    "IndexError: list index out of range",
    "ValueError: too many values to unpack (expected 2)",
    "ValueError: not enough values to unpack (expected 3, got 2)",
    "TypeError: 'NoneType' object is not subscriptable",
    "TypeError: forward() got an unexpected keyword argument 'position_ids'",
    "AttributeError: 'dict' object has no attribute 'logits'",
    "AttributeError: module 'numpy' has no attribute 'bool8'",
    "ModuleNotFoundError: No module named 'flash_attn'",
    "ImportError: libcudart.so.12: cannot open shared object file",
    "FileNotFoundError: [Errno 2] No such file or directory: '/data/train.jsonl'",
    "FileNotFoundError: [Errno 2] No such file or directory: 'out/checkpoint-500/optimizer.pt'",
    "FileNotFoundError: [Errno 2] No such file or directory: 'out/checkpoint-500/pytorch_model.bin'",
    "PermissionError: [Errno 13] Permission denied: '/scratch/run'",
    "OSError: [Errno 28] No space left on device",
    "RuntimeError: shape '[4, -1, 128]' is invalid for input of size 6000",
    "RuntimeError: The size of tensor a (1024) must match the size of tensor b (512) at non-singleton dimension 3",
    "RuntimeError: The size of tensor a (77) must match the size of tensor b (154) at non-singleton dimension 1",
    "RuntimeError: Sizes of tensors must match except in dimension 1. Expected size 8 but got size 16 for tensor 1",
    "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB",
    "AssertionError",
    "AssertionError: batch size must be even",
    "ZeroDivisionError: division by zero",
    "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0",
    "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
    "NotImplementedError",
    "NotImplementedError: Operator aten.sort.default does not have a sharding strategy registered.",
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='hub', port=443): Max retries exceeded",
    "ValueError: Attention mask should be of size (2, 1, 64, 64), but is torch.Size([2, 1, 64, 63])",
    "ValueError: save_steps must be a multiple of eval_steps",
    "torch.cuda.OutOfMemoryError: CUDA out of memory.",
    "RuntimeError: Error(s) in loading state_dict for Net:\n\tsize mismatch for fc.weight: copying a param with shape",
    'RuntimeError: Error(s) in loading state_dict for Net:\n\tMissing key(s) in state_dict: "fc.weight". ',
    RECOMPUTED.format("4096, 4096", "0", "bfloat16"),
    RECOMPUTED.format("1, 8, 512, 64", "1, 8, 512, 64", "float32"),
    RECOMPUTED.format("1, 8, 512, 64", "1, 8, 1000, 64", "bfloat16"),
    "torch.utils.checkpoint.CheckpointError: torch.utils.checkpoint: A different number of tensors was saved: 12, 10",
)
FUNCTIONS = (
    "forward",
    "train",
    "main",
    "__init__",
    "load_state_dict",
    "save_checkpoint",
    "step",
    "fit",
    "load",
    "run",
    "_call_impl",
)
PREFIXES = (
    "",
    "[rank{rank}]: ",
    "{rank}: ",
    "[default{rank}]:",
    "2026-01-0{rank}T10:00:00.123Z ",
    "(Worker pid=12{rank}) ",
)
NOISE = (
    "Epoch 3:  42%|####      | 420/1000 [03:11<04:20,  2.2it/s, loss=1.23]\r",
    "{'loss': 0.8312, 'grad_norm': 1.25, 'learning_rate': 2e-05, 'epoch': 0.4}",
    SITE + "torch/utils/data/dataloader.py:557: UserWarning: This DataLoader will create 16 workers",
    "INFO:root:saved checkpoint", "mean squared error = 0.31",
)  # fmt: skip


def _traceback(frames: list[tuple[str, str]], error: str) -> list[str]:
    lines = ["Traceback (most recent call last):"]
    for number, (file, function) in enumerate(frames, start=11):
        lines += [f'  File "{file}", line {number}, in {function}', "    call(value)"]
    return [*lines, *error.split("\n")]


def _foreign(error: ForeignError) -> list[str]:
    file = SITE + FILES.get(error.library, f"{error.library}/core.py") if error.library else "/job/train.py"
    return _traceback([("/job/train.py", "<module>"), (file, error.function)], f"{error.type}: {error.message}")


def _made(dice: random.Random) -> list[str]:
    """A traceback of a library that nothing is known of, or of a known one in another function."""
    frames = [("/job/train.py", "<module>")]
    for _ in range(dice.randint(0, 4)):
        package = dice.choice([*OTHERS, *FILES])
        frames.append((SITE + FILES.get(package, f"{package}/core.py"), dice.choice(FUNCTIONS)))
    # The last frame is none that a record names together with such an error.
    frames.append(("/job/model.py", dice.choice(FUNCTIONS)))
    return _traceback(frames, dice.choice(MESSAGES))


def unrelated_logs(count: int, seed: int = 19) -> Iterator[str]:
    """So many logs: a foreign error or a made one, in any form of prefix, in noise; some runs go on after it."""
    dice = random.Random(seed)
    foreign = foreign_errors()
    for number in range(count):
        lines = _foreign(foreign[number]) if number < len(foreign) else _made(dice)
        prefix = dice.choice(PREFIXES).format(rank=dice.randint(0, 7))
        lines = [prefix + line for line in lines]
        before = [dice.choice(NOISE) for _ in range(dice.randint(0, 30))]
        after = [dice.choice(NOISE) for _ in range(dice.choice((0, 0, 3, 80)))]
        if dice.random() < 0.2:
            lines += [prefix + line for line in _made(dice)]
        yield "\n".join([*before, *lines, *after]) + "\n"


def large_log(megabytes: int, error: str) -> Iterator[bytes]:
    """A training log of that size in blocks, with warnings, handled tracebacks and an error in the middle."""
    step = (
        "[rank{rank}]: 2026-01-05 10:00:00,123 - INFO - step {n} loss 1.2345 grad_norm 0.987 tokens/s 51234.1\n"
        "Epoch 3:  42%|####      | {n}/1000000 [03:11<04:20,  2.2it/s, loss=1.23]\r"
    )
    some = "".join(step.format(rank=n % 8, n=n) for n in range(5000))
    some += "\n/opt/venv/x.py:3: UserWarning: something to know\n" + "\n".join(
        _traceback([("/job/data.py", "fetch")], "ConnectionError: try again")
    )
    block = (some + "\n").encode()
    total = megabytes * 1_000_000 // len(block) + 1
    for number in range(total):
        yield block
        if number == total // 2:
            yield error.encode()
