"""Replaces what names a person, a machine or a secret by a label, in every text that leaves this machine.

Reports, summaries, issue files, logs of the site, JUnit, the feed and drafts pass through it.  What is ambiguous is
replaced: a report loses little by one label too many, and a leaked token cannot be taken back.
"""

import getpass
import ipaddress
import os
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from repro.model.clean import clean
from repro.report.labels import ADDRESS, COMMON_NAMES, FOLDER, HOME, HOST, IDENTITY, SECRET, USER
from repro.report.private_shapes import hide_folders, hide_machines, hide_people, hide_secrets
from repro.report.secret_rules import secret_rules

PUBLIC_HOSTS = (
    "github.com", "githubusercontent.com", "github.io", "pytorch.org", "python.org", "pypi.org", "pythonhosted.org",
    "huggingface.co", "hf.co", "lightning.ai", "readthedocs.io", "readthedocs.org", "nvidia.com", "numpy.org",
    "pydantic.dev", "pypa.io", "apache.org", "wikipedia.org", "arxiv.org", "scipy.org", "anaconda.org", "anaconda.com",
    "localhost", "127.0.0.1",
)  # fmt: skip

_BEARER = re.compile(
    r"(?i)\b((?:authorization[\"']?\s{0,3}[:=,]\s{0,3}[\"']?(?:(?:bearer|basic|token|negotiate|digest)\s+)?|bearer\s+)"
    r"(?!(?:bearer|basic|token|negotiate|digest)\b))[^\s\"'<>]{6,}"
)
# What stands before the word does not matter, so it is not matched: a search stays linear in the text.
_NAMED_SECRET = re.compile(
    r"""(?ix)
    ( (?: token | secret (?:[-_]?key)? | passw(?:or)?d | passphrase | passcode | api[-_]?key | access[-_]?key(?:[-_]id)?
        | (?:private|account|auth|signing|encryption|master|session|service|client|license|webhook|db|ssh)[-_]?key
        | credentials? | signature | (?<![a-z])sig | cookie | (?<![a-z])(?:dsn|pwd|pgpassword|mysql_pwd|otp|pin|sas)
        | (?<=["'])auth (?=["']) )
      [\\"'\]]{0,4} \s{0,3} (?::\s?[A-Za-z]{1,20}\s= | [:=] | => | ,\s) \s{0,3} )
    ( (?:[A-Za-z]\w{0,40}\()? (?:"[^"\n]*"|'[^'\n]*') \)?
      | b?"[^"\n]*" | b?'[^'\n]*' | \\{1,3}"[^"\n]*" | [^\s"'<>&,;\\]+ )
    """
)
# The closing tag is asked for: our own ``<secret>`` is no element.
_ELEMENT = re.compile(r"(?i)(<(?:\w{0,20}(?:token|password|passwd|secret)|api[-_]?key)>)([^<\n]{4,})(?=</)")
_SPOKEN = re.compile(
    r"(?i)(\b(?:password|passwd|passphrase|passcode) (?:is|was) [\"']?)"
    r"((?-i:(?=[^\s]{0,80}(?:\d|[a-z][A-Z])))[^\s\"']{4,})"
)
_SET = re.compile(
    r"(\b(?:setenv|ENV|ARG|set) +[A-Z][A-Z0-9_]{0,60}(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASS|PWD) +)"
    r"(\"[^\"\n]*\"|[^\s\"']+)"
)
_COOKIES = re.compile(r"(?i)(\b(?:set-)?cookie: )[^\n'<]{4,}")
_HEX_KEY = re.compile(
    r"(?i)((?<![a-z])key[\"']?\s{0,3}[:=]\s{0,3}[\"']?|\bwandb[: ][^\n]{0,200}?\s)([0-9a-f]{32,128}\b)"
)
_ASSIGNED = re.compile(
    r"""(?x) \b( [A-Z][A-Z0-9_]{0,60}(?:_KEY|_PASS|_PWD|_PW|_AUTH|_SALT|_CREDS|_DSN|_SECRET|_TOKEN)\s{0,2}=\s{0,2}
             | (?:PASS|KEY|PASSWD|PW)=
             | [a-z][a-z0-9_]{0,60}(?<!forward)(?<!backward)_(?:pass|passwd|pwd|pw)\s{0,2}=\s{0,2} )
           ( "[^"\n]*" | '[^'\n]*' | [^\s"'<>&,;]{4,} )"""
)
_FLAG = re.compile(
    r"(?i)((?:^|\s)--?[a-z._-]{0,30}(?:token|password|passwd|passphrase|secret|api[-_]?key|access[-_]?key|auth)[ =])"
    r"(?!-)(\"[^\"\n]*\"|'[^'\n]*'|[^\s\"'<>]{4,})"
)
_LOGIN = re.compile(
    r"\b(?:curl|mysql|mysqldump|sshpass|(?:docker|podman|helm|oras|skopeo|nerdctl) login)\b[^\n]{0,300}"
)
_SHORT_FLAG = re.compile(r"((?:^|\s)(?:-[up] ?|--(?:proxy-)?user[ =]))([^\s-][^\s]{3,})")
_NETRC = re.compile(r"(?i)\b(machine\s+)\S+(\s+login\s+)\S+(\s+password\s+)\S+")
_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,15}://)(?:[^\s/@'\"<>]*@)?([\w.-]+|\[[0-9a-f:.%]+\])")
_MAIL = re.compile(r"[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\b")
_IPV4 = re.compile(r"(?<![\w.=<>!~-])(?<![=<>!~] )(\d{1,3}(?:\.\d{1,3}){3})(?![\w-])(?!\.\w)")
_IPV6 = re.compile(
    r"(?<![\w:.])((?:[0-9A-Fa-f]{0,4}:){2,8}[0-9A-Fa-f]{0,4}(?:(?:\d{1,3}\.){3}\d{1,3})?)(%\w+)?(?![\w:])"
)
_MAC = re.compile(r"(?<![\w:-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![\w:-])")
_UUID = re.compile(r"(?<![\w-])(?:GPU-|MIG-)?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![\w-])")
_NAMED_HOST = re.compile(
    r"(?i)(?<![a-z0-9.])((?:host|hostname|nodename|node_?name|pod_?name|master_addr|local_addr|rdzv_endpoint|head_node)"
    r"[\"']?[ \t]{0,12}[:=]\s{0,3}[\"']?"
    r"|--(?:master|node|local)[-_]addr[ =]|--rdzv[-_]endpoint[ =]|--host(?:name)?[ =])"
    r"([\w.-]+)"
)
_ADDRESSED = re.compile(
    r"(?i)((?:addr|address|host|ip|server|peer|endpoint|interface|node|url|from|to)[\"']?=[\"']?)"
    r"(\d{1,3}(?:\.\d{1,3}){3})(?![\w.-])"
)
_NCCL = re.compile(
    r"(?<![\w.-])()([A-Za-z0-9][\w.-]{0,99})(:\d+:\d+ (?:\[\d+\] )?(?:NCCL |[\w/.-]{1,60}\.(?:cc|cpp|h|cu):\d+ NCCL ))"
)
_NAMED_PLACE = re.compile(
    r"(?i)(\b(?:connect to host|resolve host(?:name)?|known host|remote peer|serial number:) "
    r"|\bnode: (?=[\w.-]+,? (?:local.)?rank)"
    r"|\bLinux (?=\S+ \d+\.\d+\.\d+))([A-Za-z0-9][\w.-]*)"
)
_SLURM = re.compile(
    r"\b((?:SLURM|SLURMD|SBATCH|PBS|LSB|SGE|KUBERNETES|MY_POD|MY_NODE)_?(?:[A-Z]+_){0,4}"
    r"(?:NODELIST|NODENAME|NODE|HOST|HOSTS|USER|DIR|WORKDIR|ACCOUNT|NAME|HOSTNAME|LAUNCH_NODE_IPADDR|PARTITION)"
    r"\s{0,2}=\s{0,2})(\"[^\"\n]*\"|'[^'\n]*'|[^\s\"']+)"
)
_SLURM_NODE = re.compile(
    r"(\bsrun: (?:error|warning|info): |\bslurmstepd: \w+: \*{3} (?:STEP|JOB) [\w.+]{1,40} ON "
    r"|\b(?:(?:Req|Exc|Sched)?NodeList|BatchHost|NodeName|NodeHostName|NodeAddr|AllocNode:Sid|UserId|Account)=)"
    r"([\w.,()-]+(?:\[[\d,-]+\])?)(?=: task|\s|$)"
)
_PROMPT = re.compile(r"(?m)([A-Za-z_][\w.-]{0,31})@([A-Za-z0-9][\w.-]{0,62})(?=(?::|\s)[^\n$#%]{0,80}[$#%](?:\s|$))")
_POD = re.compile(
    r"(?<![\w.-])[a-z][a-z0-9]*(?:-[a-z0-9]+){0,6}-(?:[a-f0-9]{8,10}-[a-z0-9]{5}|(?:worker|master|launcher|head)-\d+)"
    r"(?![\w-])"
)
_PERCENT = re.compile(r"[^\s\"'<>%]{0,200}(?:%[0-9A-Fa-f]{2}[^\s\"'<>%]{0,200}){1,50}")
_DISKS = re.compile(
    r"(?<![\w./~>])(?:(?:/[\w.-]{1,40}){0,3}/(?:\w?scratch|gpfs|lustre|workspaces?|beegfs)"
    r"|/(?:data|mnt|fsx|nfs|efs|pfs|shared|proj|projects?|work|raid|datasets?|storage|ssd|nvme|disk|volumes?))\d{0,3}"
    r"(?:(?:/[^/\s:'\"<>|,;()]+)+(?=/[^/\s:'\"<>|,;()]+)|/[^/\s:'\"<>|,;().]+(?![^/\s:'\"<>|,;()])/?)"
)
_TEMPORARY = re.compile(
    r"(?<![\w./~>])(/(?:var/)?tmp/(?:torchinductor_|pytest-of-|(?=[a-z]+(?:[._-][a-z]+)?/)))"
    r"(?!(?:tmp|torch|pip|pytest|ray|cuda|repro|uv|hsperf|<)|(?:root|runner|user)/)([\w.-]+)"
)
_SPOOL = re.compile(r"(/var/spool/slurmd?/)[^\s'\"<>]+")
_NAMED_USER = re.compile(
    r"(?i)(?<![\w.])((?:user|username|logname|login)[\"']?\s{0,12}[:=]\s{0,3}[\"']?|\blogged in as:? )([\w.@-]+)"
)
_ENTITY = re.compile(r"(?<![\w.])wandb\.ai/[^/\s<>'\"]+")
_PORT_HOST = re.compile(r"([\[(])([A-Za-z0-9][\w.-]*)(\]:|, )(\d{4,5}\b)")
_PRIVATE_HOST = re.compile(
    r"(?i)(?<![\w.-])[a-z0-9][\w.-]*\.(?:internal|intranet|lan|corp|localdomain|home\.arpa|consul)(?![\w.-]*[\w(])"
    r"|(?<![\w.-])[a-z0-9][\w.-]*\.cluster\.local(?![\w(])"
    r"|(?<![\w.-])[a-z0-9]+(?:-[a-z0-9]+)+\.local(?![\w(])"
)
_INDEXED_PACKAGE = re.compile(
    r"(?i)^\[(?:conda|pip3?)\]"
    r"|^[\s*-]{0,12}(?![\w.-]{0,80}(?:ip|addr|address|host|node|peer|server|gateway|endpoint|dns|from|to|inet):?\s)\w[\w.-]{0,80}:?\s{1,80}\d+(?:\.\d+){3}\s*$"
)
_HOMES = (
    (
        re.compile(
            r"(?i)(?<![\w])[a-z]:(\\+|/)(?:users|documents and settings)\1"
            r"(?:[^\\/\s:'\"<>|]+(?: [^\\/\s:'\"<>|]+)*(?=\1)|[^\\/\s:'\"<>|]+)"
        ),
        HOME,
    ),
    (
        re.compile(
            r"(?:/[\w.+@-]{1,99}){0,12}/(?:home|Users|users|homes)/(?!conda/feedstock_root/)(?:\w{0,2}users?/|(?<=homes/)[a-z]/|([a-z])/(?=\1))?"
            r"(?:[^/\s:'\"<>|,;()]+(?: [A-Za-z.-]+(?=/))?)"
        ),
        HOME,
    ),
    (re.compile(r"(?<![\w./~>])/root(?=/|\b)(?![\w.-])"), HOME),
    (re.compile(r"(?<![\w./~>])/afs/[^/\s]{1,99}/(?:users?|home)/(?:\w/){0,2}[^/\s:'\"<>|,;()]+"), HOME),
    (re.compile(r"(?<![\w:\\])\\\\(?!x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})[A-Za-z0-9][\w.-]*(?=\\)"), f"\\\\\\\\{HOST}"),
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


def _addressed(match: re.Match[str]) -> str:
    try:
        address = ipaddress.IPv4Address(match[2])
    except ValueError:
        return match[0]
    return match[0] if _loopback(address) else f"{match[1]}{ADDRESS}"


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
    value = match[2].rstrip(")]}").strip("\"'")
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
        return _redacted(self, text)

    def _apply(self, text: str) -> str:
        text = _PERCENT.sub(self._decoded, clean(text))
        for rule in secret_rules():
            text = rule.sub(SECRET, text)
        text = _NETRC.sub(rf"\g<1>{HOST}\g<2>{USER}\g<3>{SECRET}", text)
        text = _BEARER.sub(rf"\g<1>{SECRET}", text)
        text = _COOKIES.sub(rf"\g<1>{SECRET}", text)
        for named in (_ELEMENT, _SPOKEN, _SET, _NAMED_SECRET, _ASSIGNED, _FLAG, _HEX_KEY):
            text = named.sub(_named_secret, text)
        text = hide_secrets(text)
        text = _LOGIN.sub(lambda command: _SHORT_FLAG.sub(_named_secret, command[0]), text)
        text = _SLURM_NODE.sub(rf"\g<1>{HOST}", _SLURM.sub(rf"\g<1>{HOST}", text))
        nodes = {match[2] for match in _NCCL.finditer(text)} - COMMON_NAMES
        text = _PROMPT.sub(f"{USER}@{HOST}", text)
        for folder, label in sorted(self.folders, key=lambda item: -len(item[0])):
            text = re.sub(rf"(?<![\w.]){re.escape(folder)}(?![\w.-]*[\w-])", label, text)
        for pattern, label in _HOMES:
            text = pattern.sub(label, text)
        text = _URL.sub(_url, _ENTITY.sub(f"wandb.ai/{USER}", text))
        text = _MAIL.sub(ADDRESS, text)
        text = _MAC.sub(ADDRESS, _UUID.sub(IDENTITY, text))
        text = "\n".join(line if _INDEXED_PACKAGE.match(line) else _IPV4.sub(_ipv4, line) for line in text.split("\n"))
        text = _IPV6.sub(_ipv6, _ADDRESSED.sub(_addressed, text))
        text = _TEMPORARY.sub(_named(USER), _SPOOL.sub(rf"\g<1>{FOLDER}", text))
        text = hide_folders(_POD.sub(HOST, _DISKS.sub(FOLDER, text)))
        text = _NAMED_PLACE.sub(_named(HOST), _NAMED_HOST.sub(_named(HOST), text))
        text = _NAMED_USER.sub(_named(USER), text)
        text = _PORT_HOST.sub(_with_port, text)
        text = hide_people(hide_machines(_PRIVATE_HOST.sub(HOST, text), _public))
        for names, label in ((self.hosts | nodes, HOST), (self.users, USER)):
            for name in sorted(names, key=lambda item: -len(item)):
                text = re.sub(rf"(?i)(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", label, text)
        return text

    def _decoded(self, match: re.Match[str]) -> str:
        """A percent-encoded text, decoded where it hides something."""
        plain = unquote(match[0])
        if "%" in plain or plain == match[0]:
            return match[0]
        left = self(plain)
        return left if left != plain else match[0]


@lru_cache(maxsize=50_000)
def _redacted(redactor: Redactor, text: str) -> str:
    """Stored runs repeat the same frames and messages again and again."""
    return redactor._apply(text)  # noqa: SLF001 - the memory of its own class


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
