"""A value is private by the words of its name, in any syntax; code, numbers and placeholders stay."""

import pytest

from repro.report.named_values import NAMES, SECRETS, PrivateKind, hide_named_values, kind_of


def hide(text: str) -> str:
    return hide_named_values(text, SECRETS | NAMES, lambda host: host == "github.com")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("AWS_SECRET_ACCESS_KEY", PrivateKind.SECRET),
        ("access_key_id", PrivateKind.SECRET),
        ("clientSecret", PrivateKind.SECRET),
        ("X-Hub-Signature-256", PrivateKind.SECRET),
        ("dbpassword", PrivateKind.SECRET),
        ("userName", PrivateKind.PERSON),
        ("job.owner", PrivateKind.PERSON),
        ("SLURMD_NODENAME", PrivateKind.MACHINE),
        ("Serial Number", PrivateKind.IDENTITY),
        ("pad_token", None),
        ("max_tokens", None),
        ("token_count", None),
        ("forward_pass", None),
        ("key", None),
        ("cache_key", None),
        ("password_file", None),
        ("device", None),
        ("", None),
    ],
)
def test_kind_of(name: str, kind: PrivateKind | None) -> None:
    assert kind_of(name) is kind


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("'db_passwd': 'kingfisher'", "'db_passwd': '<secret>'"),
        ('\\"client_secret\\":\\"kingfisher7\\"', '\\"client_secret\\":\\"<secret>\\"'),
        ("--lab-token kingfisher7", "--lab-token <secret>"),
        ("<password>kingfisher7</password>", "<password><secret></password>"),
        ("- name: DB_PASS\n  value: king-fisher7", "- name: DB_PASS\n  value: <secret>"),
        ("SERVER=sqlprod01;UID=wren;", "SERVER=<host>;UID=<user>;"),
        ("'POSTGRES_PASSWORD=king fisher 9'", "'POSTGRES_PASSWORD=<secret>'"),
        ("contact: Hanna Lindgren, later", "contact: <user>, later"),
        ("error: host: osprey03", "error: host: <host>"),
        ("LSB_HOSTS=hopper11 hopper12", "LSB_HOSTS=<host>"),
    ],
)
def test_hidden(text: str, left: str) -> None:
    assert hide(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "token = tokenizer.encode(text)",
        "api_key=api_key, user=None",
        "nodes: list[Node]",
        "host: cpu, device: cuda",
        "password: required",
        "password=${PASSWORD} token=<HUB_TOKEN>",
        "mask_token='[MASK]'",
        "store.set(my_token, 'Done')",
        "node: conv2d_1",
        "server = HTTPServer(address)",
        "hostname=github.com",
        "secret=settings.secret",
        "addr = 0x7f00",
        "project='fsdp'",
    ],
)
def test_kept(text: str) -> None:
    assert hide(text) == text
