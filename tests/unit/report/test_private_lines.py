"""Rows of well-known programs, prompts and phrases lose the people and machines in them."""

import pytest

from repro.report.private_lines import hide_lines, join_lists


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "wren 8812 99.0 1.2 123456 7890 ? Sl 10:02 1:00 python",
            "<user> 8812 99.0 1.2 123456 7890 ? Sl 10:02 1:00 python",
        ),
        ("  884213 gpu fsdp wren R 2:11 2 tiger[3-4]", "  884213 gpu fsdp <user> R 2:11 2 <host>"),
        ("  31337 wren 20 0 88.1g 9.0g 1.2g R", "  31337 <user> 20 0 88.1g 9.0g 1.2g R"),
        ("db7:5432:runs:wren:tulip-Glass", "<host>:5432:runs:<user>:<secret>"),
        ("(base) wrens-mbp:fsdp wren$ ls", "(base) <host>:fsdp <user>$ ls"),
        ("[sudo] password for wren:", "[sudo] password for <user>:"),
        ("account pi-wren not valid", "account <user> not valid"),
        ("Permanently added 'n17,10.1.2.3' (RSA)", "Permanently added '<host>' (RSA)"),
        ("Signed-off-by: Wren Hale <x>", "Signed-off-by: <user> <x>"),
        ("osprey13: Traceback (most recent call last):", "<host>: Traceback (most recent call last):"),
        ("running lab-gpu-node-4 now", "running <host> now"),
        ("tel +46 70 555 01 23", "tel <id>"),
        ("echo 'plum-9' | docker login --password-stdin", "echo '<secret>' | docker login --password-stdin"),
        ("uid=wren,ou=people,dc=hedge", "uid=<host>,ou=<host>,dc=<host>"),
        ("client.login('wren', 'plum-9')", "client.login('<secret>', '<secret>')"),
        ("arn:aws:iam::123456789012:user/wren", "arn:aws:iam::<id>:<host>"),
    ],
)
def test_hidden(text: str, left: str) -> None:
    assert hide_lines(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "step10: Traceback", "rank0: Traceback (most recent call last):", "layers[0-31] on stage 0", "run by pytest",
        "user 'root' has no home", "llama-3-8b-instruct", "worker-0 ready", "the account for the extra dimension",
        "1 2 3 4 5 R", "password for the archive",
    ],
)  # fmt: skip
def test_kept(text: str) -> None:
    assert hide_lines(text) == text


def test_lists() -> None:
    """The rest of a list follows its first machine."""
    assert join_lists("-H <host>:8,osprey04:8 x") == "-H <host> x"
    assert join_lists("<host>, later") == "<host>, later"
