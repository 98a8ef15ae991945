"""Hosts that are not public go with their path; owners on public ones, unless everybody knows them."""

import pytest

from repro.report.web_addresses import PUBLIC_HOSTS, hide_remote_folders, hide_web_addresses


def hide(text: str) -> str:
    return hide_web_addresses(
        text, lambda host: any(host == name or host.endswith(f".{name}") for name in PUBLIC_HOSTS)
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("http://wren:plum@box7:8080/a/b?c=d, x", "http://<host>:8080/<folder>?<secret>, x"),
        ("https://wandb.ai/hedge-row/thicket/runs/1", "https://wandb.ai/<user>/<folder>/runs/1"),
        ("https://github.com/hedge-row/thicket", "https://github.com/<user>/<folder>"),
        ("s3://bucket/run/7.pt", "s3://<host>/<folder>/7.pt"),
        ("git@github.com:hedge-row/thicket.git", "git@github.com:<user>/<folder>.git"),
        ("registry.hedge.example/ml/train:1", "<host>/<folder>"),
    ],
)
def test_hidden(text: str, left: str) -> None:
    assert hide(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/pytorch/pytorch/issues/149516.",
        "https://huggingface.co/docs/transformers/main_classes/trainer",
        "https://huggingface.co/meta-llama/Llama-2-7b-hf/resolve/main/config.json",
        "https://download.pytorch.org/whl/cu124/torch-2.6.0%2Bcu124-cp311-cp311-linux_x86_64.whl",
        "http://localhost:6006/#scalars",
        "git@github.com:pytorch/pytorch.git",
        "file:///tmp/x",
        "torch.nn.functional/x",
    ],
)
def test_kept(text: str) -> None:
    assert hide(text) == text


def test_folders_of_a_machine() -> None:
    assert hide_remote_folders("<host>:/export/home on /home") == "<host>:<folder> on /home"
