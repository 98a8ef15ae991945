"""Takes out of a text what names a person, a machine or a secret, and leaves a label in its place.

Text that upstream's trackers will show: tracebacks, environments, ends of output.  What is ambiguous goes: a
report loses little by a label too many, and a leaked token cannot be called back.
"""

import getpass
import ipaddress
import os
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

HOME, USER, HOST, ADDRESS, SECRET, IDENTITY = "~", "<user>", "<host>", "<address>", "<secret>", "<id>"

COMMON_NAMES = frozenset({
    "accelerate", "address", "admin", "administrator", "build", "builder", "debian", "default", "docker",
    "environment", "harness", "home", "host", "id", "lightning", "linux", "local", "localdomain", "localhost", "main",
    "master", "nobody", "node", "project", "python", "root", "run", "runner", "secret", "test", "tests", "torch",
    "transformers", "ubuntu", "user", "users", "worker",
})  # fmt: skip
"""Names of users and machines that name nobody, and would take words out of a text."""

PUBLIC_HOSTS = (
    "github.com", "githubusercontent.com", "github.io", "pytorch.org", "python.org", "pypi.org", "pythonhosted.org",
    "huggingface.co", "hf.co", "lightning.ai", "readthedocs.io", "readthedocs.org", "nvidia.com", "numpy.org",
    "pydantic.dev", "apache.org", "wikipedia.org", "arxiv.org", "scipy.org", "localhost", "127.0.0.1",
)  # fmt: skip

_TOKENS = re.compile(
    r"""
      (?<![A-Za-z0-9]) (?: gh[pousr]_[A-Za-z0-9]{16,} | github_pat_[A-Za-z0-9_]{16,}
    | glpat-[\w-]{16,} | hf_[A-Za-z0-9]{10,} | (?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}
    | (?:AKIA|ASIA)[A-Z0-9]{12,} | AIza[\w-]{30,} | xox[abeoprs]-[\w-]{8,} | pypi-[\w-]{16,}
    | npm_[A-Za-z0-9]{20,} | dop_v1_[0-9a-f]{20,} | eyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)? )
    | -----BEGIN[ A-Z]*PRIVATE\ KEY-----(?:.|\n)*?(?:-----END[ A-Z]*PRIVATE\ KEY-----|\Z)
    """,
    re.VERBOSE,
)
_BEARER = re.compile(
    r"(?i)\b((?:authorization\s*[:=]\s*(?:(?:bearer|basic|token|negotiate)\s+)?|bearer\s+)"
    r"(?!(?:bearer|basic|token|negotiate)\b))[^\s\"'<>]{6,}"
)
# What stands before the word does not matter, so it is not matched: a search stays linear in the text.
_NAMED_SECRET = re.compile(
    r"""(?ix)
    ( (?: token | secret | passw(?:or)?d | passphrase | api[-_]?key | access[-_]?key(?:[-_]id)? | private[-_]?key
        | credentials? | signature | (?<![a-z])sig | cookie )
      ["']? \s{0,3} [:=] \s{0,3} )
    ( "[^"\n]*" | '[^'\n]*' | [^\s"'<>&,;]+ )
    """
)
_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,15}://)(?:[^\s/@'\"<>]*@)?([\w.-]+|\[[0-9a-f:.%]+\])")
_MAIL = re.compile(r"[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\b")
_IPV4 = re.compile(r"(?<![\w.=<>!~-])(?<![=<>!~] )(\d{1,3}(?:\.\d{1,3}){3})(?![\w-])(?!\.\w)")
_IPV6 = re.compile(
    r"(?<![\w:.])((?:[0-9A-Fa-f]{0,4}:){2,8}[0-9A-Fa-f]{0,4}(?:(?:\d{1,3}\.){3}\d{1,3})?)(%\w+)?(?![\w:])"
)
_MAC = re.compile(r"(?<![\w:-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![\w:-])")
_UUID = re.compile(r"(?<![\w-])(?:GPU-|MIG-)?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![\w-])")
_NAMED_HOST = re.compile(r"(?i)(?<![\w.])((?:host|hostname|nodename|master_addr|local_addr)\s*[:=]\s*)([\w.-]+)")
_NAMED_USER = re.compile(r"(?i)(?<![\w.])((?:user|username|logname|login)\s*[:=]\s*)([\w.@-]+)")
_PORT_HOST = re.compile(r"([\[(])([A-Za-z0-9][\w.-]*)(\]:|, )(\d{4,5}\b)")
_PRIVATE_HOST = re.compile(
    r"(?i)(?<![\w.-])[a-z0-9][\w.-]*\.(?:internal|intranet|lan|corp|localdomain|home\.arpa|consul)(?![\w.-]*[\w(])"
    r"|(?<![\w.-])[a-z0-9]+(?:-[a-z0-9]+)+\.local(?![\w(])"
)
_INDEXED_PACKAGE = re.compile(r"^\[(?:conda|pip3?)\]|^[\s*-]*\w[\w.-]*:?\s+\d+(?:\.\d+){3}\s*$")
_HOMES = (
    (re.compile(r"(?i)(?<![\w])[a-z]:(\\+|/)(?:users|documents and settings)\1[^\\/\s:'\"<>|]+"), HOME),
    (
        re.compile(
            r"(?:/[\w.+@-]{1,99}){0,12}/(?:home|Users|users|homes)/(?:[^/\s:'\"<>|,;()]+(?: [A-Za-z.-]+(?=/))?)"
        ),
        HOME,
    ),
    (re.compile(r"(?<![\w./~>])/root(?=/|\b)(?![\w.-])"), HOME),
    (re.compile(r"(?<![\w:\\])\\\\[A-Za-z0-9][\w.-]*(?=\\)"), f"\\\\\\\\{HOST}"),
)


def _host_of(text: str) -> str:
    return text.lower().strip("[]").rstrip(".")


def _public(host: str) -> bool:
    name = _host_of(host)
    return any(name == known or name.endswith(f".{known}") for known in PUBLIC_HOSTS)


def _loopback(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_loopback or address.is_unspecified


def _ipv4(match: re.Match[str]) -> str:
    try:
        address = ipaddress.IPv4Address(match[1])
    except ValueError:
        return match[0] if any(int(part) > 255 for part in match[1].split(".")) else ADDRESS  # noqa: PLR2004 - octet
    return match[0] if _loopback(address) else ADDRESS


def _ipv6(match: re.Match[str]) -> str:
    try:
        address = ipaddress.IPv6Address(match[1])
    except ValueError:
        return match[0]
    groups = sum(bool(group) for group in match[1].split(":"))
    # "c10::add" is C++, not an address: short ones count only in the ranges that are given to machines.
    used = groups > 3 or address.is_link_local or match[1][:1].lower() in {"2", "3", "f"}  # noqa: PLR2004
    return ADDRESS if used and not _loopback(address) else match[0]


def _url(match: re.Match[str]) -> str:
    scheme, host = match[1], match[2]
    if scheme.lower() == "file://":
        return match[0]
    return f"{scheme}{host if _public(host) or host == HOST else HOST}"


def _named(label: str) -> Callable[[re.Match[str]], str]:
    def put(match: re.Match[str]) -> str:
        return match[0] if match[2].lower() in COMMON_NAMES or _public(match[2]) else f"{match[1]}{label}"

    return put


def _with_port(match: re.Match[str]) -> str:
    # "[build7]:29500" and "(build7, 29500)" as c10d writes them.
    if _public(match[2]) or match[2].isdecimal() or (match[1] == "[") != (match[3] == "]:"):
        return match[0]
    return f"{match[1]}{HOST}{match[3]}{match[4]}"


def _named_secret(match: re.Match[str]) -> str:
    value = match[2].strip("\"'")
    kept = not value or value in {SECRET, "None", "True", "False", "null"} or value.isdecimal() or len(value) < 4  # noqa: PLR2004
    return match[0] if kept else f"{match[1]}{SECRET}"


@dataclass(frozen=True)
class Redactor:
    """What is known of this machine; patterns do the rest."""

    users: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    folders: tuple[tuple[str, str], ...] = ()
    """Folders with the label that stands for each."""

    def __call__(self, text: str) -> str:
        """The text without what names a person, a machine or a secret.  Redacting twice changes nothing more."""
        text = _TOKENS.sub(SECRET, text)
        text = _BEARER.sub(rf"\g<1>{SECRET}", text)
        text = _NAMED_SECRET.sub(_named_secret, text)
        for folder, label in sorted(self.folders, key=lambda item: -len(item[0])):
            text = re.sub(rf"(?<![\w.]){re.escape(folder)}(?![\w.-]*[\w-])", label, text)
        for pattern, label in _HOMES:
            text = pattern.sub(label, text)
        text = _URL.sub(_url, text)
        text = _MAIL.sub(ADDRESS, text)
        text = _MAC.sub(ADDRESS, _UUID.sub(IDENTITY, text))
        text = "\n".join(line if _INDEXED_PACKAGE.match(line) else _IPV4.sub(_ipv4, line) for line in text.split("\n"))
        text = _IPV6.sub(_ipv6, text)
        text = _NAMED_HOST.sub(_named(HOST), text)
        text = _NAMED_USER.sub(_named(USER), text)
        text = _PORT_HOST.sub(_with_port, text)
        text = _PRIVATE_HOST.sub(HOST, text)
        for names, label in ((self.hosts, HOST), (self.users, USER)):
            for name in sorted(names, key=lambda item: -len(item)):
                text = re.sub(rf"(?i)(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", label, text)
        return text


def _telling(names: Iterable[str | None]) -> frozenset[str]:
    """The names that name somebody: not the common ones, nor a letter or two."""
    return frozenset(name for name in names if name and len(name) > 2 and name.lower() not in COMMON_NAMES)  # noqa: PLR2004


def of_this_machine(folders: Iterable[tuple[Path, str]] = ()) -> Redactor:
    """A redactor that knows who and where we are; ``folders`` with the label that stands for each."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = None
    home = Path.home()
    told = [os.environ.get(name) for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER")]
    host = socket.gethostname()
    hosts = (host, host.partition(".")[0], socket.getfqdn(), os.environ.get("HOSTNAME"))
    places = [(str(folder), label) for folder, label in (*folders, (home, HOME)) if str(folder) not in {"/", "."}]
    return Redactor(_telling((user, home.name, *told)), _telling(hosts), tuple(places))
