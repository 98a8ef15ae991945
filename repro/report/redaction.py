"""Replaces people, machines and secrets by labels in every text that leaves this machine.

Reports, summaries, issue files, logs of the site, JUnit, the feed and drafts pass through it.  Ambiguous text is
replaced: one label too many costs a report little, and a leaked token cannot be taken back.
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
from repro.report.named_values import (
    LEAST_OF_WORD,
    NAMES,
    SECRETS,
    hide_named_values,
    is_code,
    is_of_text,
    is_placeholder,
    kind_of,
    says_nothing,
)
from repro.report.private_lines import hide_lines, join_lists
from repro.report.private_shapes import hide_folders, hide_machines, hide_people, hide_secrets
from repro.report.secret_rules import secret_rules
from repro.report.text_rule import TextRule
from repro.report.web_addresses import PUBLIC_HOSTS, hide_remote_folders, hide_web_addresses

LEAST_CHARACTERS = 4
"""Shorter values are not treated as secrets."""
_DRAWN = re.compile(r"(?=\S*\d)(?=\S*[a-zA-Z])\S{16}")
_WRAPPED = re.compile(r"(?:Secret\w*|Password\w*|Token\w*|str|bytes|Str|quote)\([\"']")
"""A call that only wraps a text: ``SecretStr('...')``."""
_BEARER = TextRule(
    r"(?i)\b((?:authorization[\"']?\s{0,3}[:=,]\s{0,3}[\"']?(?:(?:bearer|basic|token|negotiate|"
    r"digest)\s+)?|bearer\s+(?=\S{0,200}\d|\S{24}))"
    r"(?!(?:bearer|basic|token|negotiate|digest)\b))[^\s\"'<>]{6,}"
)
# The text before the word is not matched, so that the search stays linear.
_NAMED_SECRET = TextRule(
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
# The closing tag is required, since our own label ``<secret>`` looks like an opening one.
_ELEMENT = TextRule(r"(?i)(<(?:\w{0,20}(?:token|password|passwd|secret)|api[-_]?key)>)([^<\n]{4,})(?=</)")
_SPOKEN = TextRule(
    r"(?i)(\b(?:password|passwd|passphrase|passcode) (?:is|was) [\"']?)"
    r"((?-i:(?=[^\s]{0,80}(?:\d|[a-z][A-Z])))[^\s\"']{4,})"
)
_SET = TextRule(
    r"(\b(?:setenv|ENV|ARG|set) +[A-Z][A-Z0-9_]{0,60}(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASS|PWD) +)"
    r"(\"[^\"\n]*\"|[^\s\"']+)"
)
_COOKIES = TextRule(r"(?i)(\b(?:set-)?cookie: )[^\n'<]{4,}")
_HEX_KEY = TextRule(r"(?i)((?<![a-z])key[\"']?\s{0,3}[:=]\s{0,3}[\"']?|\bwandb[: ][^\n]{0,200}?\s)([0-9a-f]{32,128}\b)")
_ASSIGNED = TextRule(
    r"""(?x) \b( [A-Z][A-Z0-9_]{0,60}(?:_KEY|_PASS|_PWD|_PW|_AUTH|_SALT|_CREDS|_DSN|_SECRET|_TOKEN)\s{0,2}=\s{0,2}
             | (?:PASS|KEY|PASSWD|PW)=
             | [a-z][a-z0-9_]{0,60}(?<!forward)(?<!backward)_(?:pass|passwd|pwd|pw)\s{0,2}=\s{0,2} )
           ( "[^"\n]*" | '[^'\n]*' | [^\s"'<>&,;]{4,} )"""
)
_FLAG = TextRule(
    r"(?i)((?:^|\s)--?[a-z._-]{0,30}(?:token|password|passwd|passphrase|secret|api[-_]?key|access[-_]?key|auth)[ =])"
    r"(?!-)(\"[^\"\n]*\"|'[^'\n]*'|[^\s\"'<>]{4,})"
)
_LOGIN = TextRule(r"\b(?:curl|mysql|mysqldump|sshpass|(?:docker|podman|helm|oras|skopeo|nerdctl) login)\b")
_SHORT_FLAG = TextRule(r"((?:^|\s)(?:-[up] ?|--(?:proxy-)?user[ =]))([^\s-][^\s]{3,})")
_NETRC = TextRule(r"(?i)\b(machine\s+)\S+(\s+login\s+)\S+(\s+password\s+)\S+")
_MAIL = TextRule(r"[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\b")
_IPV4 = TextRule(r"(?<![\w.=<>!~-])(?<![=<>!~] )(\d{1,3}(?:\.\d{1,3}){3})(?![\w-])(?!\.\w)")
_VERSION_WORD = re.compile(
    r"(?i)\b(?:section|chapter|version|release|cuda|cudnn|driver|firmware|nccl|tensorrt|cublas|rocm|"
    r"toolkit|build|ofed|openmpi|"
    r"chrome|safari|windows|kernel|bios|vbios|schema|spec|rule|§) ?$"
)
_IPV6 = TextRule(r"(?<![\w:.])((?:[0-9A-Fa-f]{0,4}:){2,8}[0-9A-Fa-f]{0,4}(?:(?:\d{1,3}\.){3}\d{1,3})?)(%\w+)?(?![\w:])")
_MAC = TextRule(r"(?<![\w:-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![\w:-])")
_UUID = TextRule(r"(?<![\w-])(?:GPU-|MIG-)?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![\w-])")
_NAMED_HOST = TextRule(
    r"(?i)(?<![a-z0-9.])((?:host|hostname|nodename|node_?name|pod_?name|master_addr|local_addr|rdzv_endpoint|head_node)"
    r"[\"']?[ \t]{0,12}[:=]\s{0,3}[\"']?"
    r"|--(?:master|node|local)[-_]addr[ =]|--rdzv[-_]endpoint[ =]|--host(?:name)?[ =])"
    r"([\w.-]+)"
)
_ADDRESSED = TextRule(
    r"((?<![\w.])(?!\w{0,60}(?i:version|release|_ver|build)[\"']?=|(?i:ver|cuda|cudnn|nccl|driver|toolkit|"
    r"nvidia\w*)=)[A-Za-z_]\w{0,60}[\"']?=[\"']?)"
    r"(\d{1,3}(?:\.\d{1,3}){3})(?![\w.=-])"
)
_NCCL = TextRule(
    r"(?<![\w.-])()([A-Za-z0-9][\w.-]{0,99})(:\d+:\d+ (?:\[\d+\] )?(?:NCCL |[\w/.-]{1,60}\.(?:cc|cpp|h|cu):\d+ NCCL ))"
)
_NAMED_PLACE = TextRule(
    r"(?i)(\b(?:connect to host|resolve host(?:name)?|known host|remote peer|serial number:) "
    r"|\bnode: (?=[\w.-]+,? (?:local.)?rank)"
    r"|\bLinux (?=\S+ \d+\.\d+\.\d+))([A-Za-z0-9][\w.-]*)"
)
_LOGON = TextRule(r"(=[\"']?\\{2,4})[A-Za-z][\w.-]*(?=[\s\"']|$)")
_SLURM = TextRule(
    r"\b((?:SLURM|SLURMD|SBATCH|PBS|LSB|SGE|KUBERNETES|MY_POD|MY_NODE)_?(?:[A-Z]+_){0,4}"
    r"(?:NODELIST|NODENAME|NODE|CLUSTER|HOST|HOSTS|USER|DIR|WORKDIR|ACCOUNT|NAME|HOSTNAME|LAUNCH_NODE_IPADDR|PARTITION)"
    r"\s{0,2}=\s{0,2})(\"[^\"\n]*\"|'[^'\n]*'|[^\s\"']+)"
)
_SLURM_NODE = TextRule(
    r"(\bsrun: (?:error|warning|info): |\bslurmstepd: \w+: \*{3} (?:STEP|JOB) [\w.+]{1,40} ON "
    r"|\b(?:(?:Req|Exc|Sched)?NodeList|BatchHost|NodeName|NodeHostName|NodeAddr|AllocNode:Sid|UserId|GroupId|Account)=)"
    r"([\w.,()-]+(?:\[[\d,-]+\])?)(?=: task|\s|$)"
)
_PROMPT = TextRule(r"(?m)([A-Za-z_][\w.-]{0,31})@([A-Za-z0-9][\w.-]{0,62})(?=(?::|\s)[^\n$#%]{0,80}[$#%](?:\s|$))")
_POD = TextRule(
    r"(?<![\w.-])[a-z][a-z0-9]*(?:-[a-z0-9]+){0,6}-(?:[a-f0-9]{8,10}-[a-z0-9]{5}|(?:worker|master|launcher|head)-\d+)"
    r"(?![\w-])"
)
_PERCENT = TextRule(r"[^\s\"'<>%]{0,200}(?:%[0-9A-Fa-f]{2}[^\s\"'<>%]{0,200}){1,50}")
_BLANK = re.compile(r"%20|%0[9AaDd]")
_DISKS = TextRule(
    r"(?<![\w./~>])(?!/mnt/[a-z]/Users/)(?:(?:/[\w.-]{1,40}){0,3}/(?:\w?scratch|gpfs|lustre|workspaces?|beegfs)"
    r"|/(?:data|mnt|fsx|nfs|efs|pfs|shared|proj|projects?|work|raid|datasets?|storage|ssd|nvme|disk|volumes?))\d{0,3}"
    r"(?:(?:/[^/\s:'\"<>|,;()]+)+(?=/[^/\s:'\"<>|,;()]+)|/[^/\s:'\"<>|,;().]+(?![^/\s:'\"<>|,;()])/?)"
)
_TEMPORARY = TextRule(
    r"(?<![\w./~>])(/(?:var/)?tmp/(?:torchinductor_|pytest-of-|(?=[a-z]+(?:[._-][a-z]+)?/)))"
    r"(?!(?:tmp|torch|pip|pytest|ray|cuda|repro|uv|hsperf|<)|(?:root|runner|user)/)([\w.-]+)"
)
_SPOOL = TextRule(r"(/var/(?:spool/(?:slurmd?|pbs|torque|sge|cron|mail)|mail|folders)/)[^\s'\"<>]+")
_NAMED_USER = TextRule(
    r"(?i)(?<![\w.])((?:user|username|logname|login)[\"']?\s{0,12}[:=]\s{0,3}[\"']?|\blogged in as:? )([\w.@-]+)"
)
_PORT_HOST = TextRule(r"([\[(])([A-Za-z0-9][\w.-]*)(\]:|, )(\d{4,5}\b)")
_PRIVATE_HOST = TextRule(
    r"(?i)(?<![\w.-])(?<!from )(?<!import )[a-z0-9][\w.-]*\.(?:internal|intranet|lan|corp|localdomain|"
    r"home\.arpa|consul)(?![\w.-]*[\w(])"
    r"|(?<![\w.-])[a-z0-9][\w.-]*\.cluster\.local(?![\w(])"
    r"|(?<![\w.-])[a-z0-9]+(?:-[a-z0-9]+)+\.local(?![\w(])"
)
_INDEXED_PACKAGE = re.compile(
    r"(?i)^\[(?:conda|pip3?)\]"
    r"|^[\s*-]{0,12}(?![\w.-]{0,80}(?:ip|addr|address|host|hostname|proxyjump|client|node|peer|server|"
    r"gateway|endpoint|dns|from|to|inet):?\s)\w[\w.-]{0,80}:?\s{1,80}\d+(?:\.\d+){3}\s*$"
)
_HOMES = (
    (
        TextRule(
            r"(?i)(?<![\w])[a-z]:(\\+|/)(?:users|documents and settings)\1"
            r"(?:[^\\/\s:'\"<>|]+(?: [^\\/\s:'\"<>|]+)*(?=\1|[>\"'])|[^\\/\s:'\"<>|]+)"
        ),
        HOME,
    ),
    (
        TextRule(
            r"(?:/[\w.+@-]{1,99}){0,12}/(?:home|Users|users|"
            r"homes)/(?!conda/feedstock_root/)(?:\w{0,2}users?/|(?<=homes/)[a-z]/|([a-z])/(?=\1))?"
            r"(?:[^/\s:'\"<>|,;()]+(?: [A-Za-z.-]+(?=/))?)"
        ),
        HOME,
    ),
    (TextRule(r"(?<=\\home\\)[^\\\s'\"<>]{1,60}(?=\\)"), USER),
    (TextRule(r"(?<![\w./~>])/(?:run/)?media/(?!cdrom|usb\d?/)[^/\s]{1,60}/[^/:'\"<>|\n]{1,60}(?=/)"), FOLDER),
    (TextRule(r"/Volumes/(?!Macintosh HD)[^/:'\"<>|\n]{1,60}(?=/)"), FOLDER),
    (TextRule(r"(?<=/MyDrive/)[^/:'\"<>|\n]{1,60}(?=/)"), FOLDER),
    (TextRule(r"(?<=[\\/])(OneDrive|Dropbox) [-(][^/\\:'\"<>|\n]{1,60}(?=[/\\])"), r"\1"),
    (TextRule(r"(?<![\w./~>])/root(?=/|\b)(?![\w.-])"), HOME),
    (TextRule(r"(?<![\w./~>])/afs/[^/\s]{1,99}/(?:users?|home)/(?:\w/){0,2}[^/\s:'\"<>|,;()]+"), HOME),
    (
        TextRule(
            r"(?<![\w:\\])(\\\\(?:\\\\)?)(?!x[0-9A-Fa-f]{2}|"
            r"u[0-9A-Fa-f]{4})[A-Za-z0-9][\w.$-]*(\\{1,2})(?:[\w.$ -]{1,80}?(?=\\)|[\w.$-]{1,80})"
        ),
        rf"\1{HOST}\2{FOLDER}",
    ),
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
    before = match.string[max(0, match.start() - 24) : match.start()]
    kept = _loopback(address) or match[1].startswith("255.") or _VERSION_WORD.search(before)
    return match[0] if kept else ADDRESS


def _ipv6(match: re.Match[str]) -> str:
    try:
        address = ipaddress.IPv6Address(match[1])
    except ValueError:
        return match[0]
    groups = sum(bool(group) for group in match[1].split(":"))
    # "c10::add" is C++, not an address: short addresses count only in ranges that are assigned to machines.
    used = groups > 3 or address.is_link_local or match[1][:1].lower() in {"2", "3", "f"}  # noqa: PLR2004
    return ADDRESS if used and not _loopback(address) else match[0]


def _addressed(match: re.Match[str]) -> str:
    try:
        address = ipaddress.IPv4Address(match[2])
    except ValueError:
        return match[0]
    return match[0] if _loopback(address) else f"{match[1]}{ADDRESS}"


def _mail(match: re.Match[str]) -> str:
    user, _, host = match[0].partition("@")
    if user != "git":
        return ADDRESS
    return match[0] if _public(host) else f"git@{HOST}"


def _named(label: str) -> Callable[[re.Match[str]], str]:
    def put(match: re.Match[str]) -> str:
        following = match.string[match.end() : match.end() + 1]
        kept = says_nothing(match[2], following) or _public(match[2])
        return match[0] if kept else f"{match[1]}{label}"

    return put


def _with_port(match: re.Match[str]) -> str:
    # "[build7]:29500" and "(build7, 29500)" as c10d writes them.
    if _public(match[2]) or match[2].isdecimal() or (match[1] == "[") != (match[3] == "]:"):
        return match[0]
    return f"{match[1]}{HOST}{match[3]}{match[4]}"


def _named_secret(match: re.Match[str]) -> str:
    if _WRAPPED.match(match[2]):
        return f"{match[1]}{SECRET}"
    value = match[2].rstrip(")]}").strip("\"'")
    before = match.string[max(0, match.start() - 60) : match.start()]
    after = match.string[match.end() : match.end() + 1]
    name = re.split(r"[\s\"'(=]", before + match[1].rstrip(" \t=:>,\"'"))[-1].lstrip("-")
    quoted = match[2][:1] in {'"', "'"}
    nothing = value in {"", SECRET, "None", "True", "False", "null"} or value.isdecimal()
    if nothing or len(value) < LEAST_CHARACTERS or is_placeholder(value) or _is_no_secret(name, value):
        return match[0]
    # A password may be a common word; only a long one is taken for a placeholder.
    plain = len(value) < LEAST_OF_WORD and says_nothing(value, after)
    code = not quoted and (plain or is_code(match[2] + after, name) or value == name)
    # "signature, schema" is code; "'token', 'x'" is a pair.
    unpaired = match[1].rstrip().endswith(",") and not (quoted and re.search("[\"']", match[1]))
    return match[0] if code or unpaired or name.endswith("]") else f"{match[1]}{SECRET}"


def _is_no_secret(name: str, value: str) -> bool:
    """True for names whose value is never a secret: a working directory, an entry, a piece of text."""
    low = name.lower()
    return (
        (low.endswith(("signature", "sig")) and not any(c.isdigit() for c in value))
        or (low in {"pwd", "oldpwd", "cwd"} and value.startswith(("/", "~")))
        or (low.endswith("_key") and kind_of(name) is None and not any(c.isdigit() for c in value))
        or ((is_of_text(name) or is_of_text(value)) and _DRAWN.search(value) is None)
    )


@dataclass(frozen=True)
class Redactor:
    """Redacts texts by what is known of this machine, and by patterns."""

    users: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    folders: tuple[tuple[str, str], ...] = ()
    """Folders, each with the label that replaces it."""

    def __call__(self, text: str) -> str:
        """The text without people, machines and secrets.  Redacting a second time changes nothing."""
        return _redacted(self, text)

    def _apply(self, text: str) -> str:
        text = _PERCENT.sub(self._decoded, clean(text))
        for rule in secret_rules():
            text = rule.sub(SECRET, text)
        text = _NETRC.sub(rf"\g<1>{HOST}\g<2>{USER}\g<3>{SECRET}", text)
        text = hide_named_values(hide_lines(text), SECRETS, _public)
        text = _BEARER.sub(rf"\g<1>{SECRET}", text)
        text = _COOKIES.sub(rf"\g<1>{SECRET}", text)
        for named in (_ELEMENT, _SPOKEN, _SET, _NAMED_SECRET, _ASSIGNED, _FLAG, _HEX_KEY):
            text = named.sub(_named_secret, text)
        text = hide_secrets(text)
        if _LOGIN.may_match(text):
            text = "\n".join(
                _SHORT_FLAG.sub(_named_secret, line) if _LOGIN.search(line) else line for line in text.split("\n")
            )
        text = _LOGON.sub(rf"\g<1>{HOST}", text)
        text = _SLURM_NODE.sub(rf"\g<1>{HOST}", _SLURM.sub(rf"\g<1>{HOST}", text))
        nodes = {match[2] for match in _NCCL.finditer(text)} - COMMON_NAMES
        text = _PROMPT.sub(f"{USER}@{HOST}", text)
        for folder, label in sorted(self.folders, key=lambda item: -len(item[0])):
            text = re.sub(rf"(?<![\w.]){re.escape(folder)}(?![\w.-]*[\w-])", label, text)
        text = _DISKS.sub(FOLDER, text)
        for pattern, label in _HOMES:
            text = pattern.sub(label, text)
        text = hide_web_addresses(text, _public)
        text = _MAIL.sub(_mail, text)
        text = _MAC.sub(ADDRESS, _UUID.sub(IDENTITY, text))
        if _IPV4.search(text):
            lines = text.split("\n")
            text = "\n".join(line if _INDEXED_PACKAGE.match(line) else _IPV4.sub(_ipv4, line) for line in lines)
        text = _IPV6.sub(_ipv6, _ADDRESSED.sub(_addressed, text))
        text = _TEMPORARY.sub(_named(USER), _SPOOL.sub(rf"\g<1>{FOLDER}", text))
        text = hide_folders(_POD.sub(HOST, _PRIVATE_HOST.sub(HOST, text)))
        text = _NAMED_PLACE.sub(_named(HOST), _NAMED_HOST.sub(_named(HOST), text))
        text = _NAMED_USER.sub(_named(USER), text)
        text = _PORT_HOST.sub(_with_port, text)
        text = hide_people(hide_machines(text, _public))
        text = join_lists(hide_remote_folders(hide_named_values(text, NAMES, _public)))
        for names, label in ((self.hosts | nodes, HOST), (self.users, USER)):
            for name in sorted(names, key=lambda item: -len(item)):
                text = re.sub(rf"(?i)(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", label, text)
        return text

    def _decoded(self, match: re.Match[str]) -> str:
        """A percent-encoded text, decoded only if it holds something private; an encoded blank does not end it."""
        plain = unquote(_BLANK.sub("+", match[0]))
        if "%" in plain or plain == match[0]:
            return match[0]
        left = self(plain)
        return left if left != plain else match[0]


@lru_cache(maxsize=50_000)
def _redacted(redactor: Redactor, text: str) -> str:
    """Cached, since stored runs repeat the same frames and messages."""
    return redactor._apply(text)  # noqa: SLF001 - the memory of its own class


def _distinctive(names: Iterable[str | None]) -> frozenset[str]:
    """The names that identify somebody, without common names and names of one or two letters."""
    return frozenset(name for name in names if name and len(name) > 2 and name.lower() not in COMMON_NAMES)  # noqa: PLR2004


def of_this_machine(folders: Iterable[tuple[Path, str]] = ()) -> Redactor:
    """A redactor that knows this user and machine; ``folders`` maps folders to labels."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = None
    home = Path.home()
    named = [os.environ.get(name) for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER")]
    host = socket.gethostname()
    hosts = (host, host.partition(".")[0], socket.getfqdn(), os.environ.get("HOSTNAME"))
    places = [(str(folder), label) for folder, label in (*folders, (home, HOME)) if str(folder) not in {"/", "."}]
    return Redactor(_distinctive((user, home.name, *named)), _distinctive(hosts), tuple(places))
