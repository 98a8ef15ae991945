"""Hides what is private by its shape or by the word before it, in the output of any program.

These rules are about no particular product: long random strings, values after a word such as "key", folders under a
root that no system has, names after "node", "owner" or a launcher's flag.  ``redaction.py`` has the particular forms.
"""

import re
from collections.abc import Callable
from itertools import pairwise

from repro.report.labels import COMMON_NAMES, FOLDER, HOST, SECRET, USER
from repro.report.named_values import says_nothing
from repro.report.text_rule import TextRule
from repro.report.web_addresses import KNOWN_OWNERS, TOP_LEVEL

Replace = Callable[[re.Match[str]], str]

RANDOM_CHANGES = 0.38
"""A random string has at least this many changes of character kind per character; 0.62 are expected by chance."""
MOST_OF_WORDS = 0.6
"""A string with this share of its characters in words is a name in camel case."""
_CAMEL = re.compile("[A-Z][a-z]{3,}")
_LOWER = re.compile("[a-z]+")
_LONG = TextRule(r"(?<![A-Za-z0-9+/_<-])[A-Za-z0-9][A-Za-z0-9+/_-]{15,2000}={0,2}(?![A-Za-z0-9+/_-])")
_VALUE = r"(?P<value>[A-Za-z0-9+/_~-]{10,2000}={0,2})(?![\w.(+/-])"
_NAMED = TextRule(
    r"(?i)(?P<head>(?:token|secret|passw(?:or)?d|passphrase|credentials?|(?<![a-z])auth(?:entication|orization)?"
    r"|(?<![a-z])(?:api)?key|apikey)(?:[_-][a-z]{1,12})?[\"'\]]{0,3}"
    r"(?:[ \t]{0,40}(?:->|=>|[:=|])[ \t]{0,4}|[ \t]{1,40})[\"'(]{0,2})" + _VALUE
)
_HEX = TextRule(
    r"(?<![\w/+=@.-])(?=[0-9]{0,22}[A-Fa-f])(?=[A-Fa-f]{0,22}[0-9])(?:[0-9a-f]{24,200}|[0-9A-F]{24,200})(?![\w/+=.-])"
)
_DIGEST = TextRule(
    r"(?i)sha\d|md5|hash|digest|commit|checksum|crc|\bgit|revision|\brev\b|\bHEAD\b|merge|cherry|tag|blob|"
    r"tree|index|etag|cubin|cache|"
    r"blake|xxh|manifest|layer|image|pull|snapshot|parent|branch|refs/|fingerprint of|seed|state_dict|"
    r"weights?|param|tensor|bytes"
)
_LOGGED_IN = TextRule(r"(?i)(?P<head>\blogin (?:user )?[\w.@<>-]{2,60} )(?P<value>[A-Za-z0-9]{12,100})(?![\w.(])")
_NAME_AND_VALUE = TextRule(
    r"(?i)(?P<head>\bname[\"']?\s?[:=]\s?[\"']?\w{0,60}(?:token|key|secret|passw(?:or)?d|passwd)\w{0,20}[\"']?,?"
    r"\s{1,20}[\"']?value[\"']?\s?[:=]\s?[\"']?)" + _VALUE
)

_NAME = r"(?P<name>[A-Za-z][\w-]*(?:\.[\w-]+)*)"
_HOST_FIELD = TextRule(
    r"(?i)(?P<head>(?<![A-Za-z0-9])(?:[a-z][a-z0-9]{0,30}[_.-]){0,6}(?:host(?:_?name)?|node_?name"
    r"|pod_?name|computer_?name|user_?domain"
    r"|(?:host|pod|node|cluster|process|head|local|remote|external|internal)_?ips?|nodes|ip|addr)"
    r"[\"']?[ \t]{0,12}[:=][ \t]{0,3}[\"']?)" + _NAME + r"(?![\w([]|\.\w)"
)
_MACHINE_FIELD = TextRule(
    r"(?i)(?P<head>\b(?:node|server|machine)[\"']?[ \t]{0,20}[:=][ \t]{0,20}[\"']?)" + _NAME + "(?=/)"
)
_PLACED = TextRule(
    r"(?i)(?P<head>\b(?:(?:on|from|at|with|reach|contact|lost|failed) (?:[a-z]{1,20} )?(?:node|host|machine|server)"
    r"|\bserver at|(?:verification failed|resolve|lookup|route to host) for|cannot reach"
    r"|nodes?(?= \S+ (?:are|is) ready)"
    r"|(?:observed failure\): )host|(?:node_)?rank \d+ on|\bagent|participant|using GPU \d+; host):? [\"']?)"
    + _NAME
    + r"(?=[\"']?(?:[\s,;:)(]|\.?$|_\d+_\d))"
)
_LOST = TextRule(
    r"(?i)(?P<head>\b(?:machine|node|host) )"
    + _NAME
    + r"(?= (?:was lost|is (?:down|unreachable|ready)|exited|failed|died|has (?:died|failed)|went))"
)
_FAILED_ON = TextRule(
    r"(?P<head>\bon )(?P<name>[A-Za-z]+(?:-[A-Za-z]+)*)(?= (?:failed|died|crashed|exited|was lost|is down)\b)"
)
_NUMBERED = (
    r"(?P<name>(?!(?:cuda|gpu|cpu|rank|local|global|base|bin|python|py|torch|float|u?int|b?float|bf|fp|sha|"
    r"utf|md|step|line|epoch|layer"
    r"|cu|sm|ipv|gcc|g?cxx|lib|eth|ib|mlx|nvme|tp|dp|pp|cp|ep|fsdp|zero|conv|norm|fc|block|stage|level|"
    r"model|worker|trainer|server|ps|gpt|llama|bert"
    r"|resnet|vit|qwen|mistral|adam|test|seed|iter|batch|shard|checkpoint|ckpt|part|chunk|file|input|"
    r"output|issue|pr|release|version|v)"
    r"[-_]?v?\d)[a-z]{1,20}(?:-?[a-z0-9]{1,12}){0,4}?\d{1,6}(?:\.[\w.-]{1,99})?)(?![\w(.-]*[\w(])"
)
_ON = TextRule(r"(?P<head>(?:\b(?:on|from|reach|ping|mounting|dmesg:|[Nn]odes?[:=]) |\bnodes?=)[\"']?)" + _NUMBERED)
_SHARE = TextRule(r"(?P<head>\b(?:[Mm]ount(?:ing|ed)?|from) )" + _NAME + r"(?=:/(?!/))")
_SYSLOG = TextRule(
    r"(?m)^(?P<head>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )(?P<name>[A-Za-z][\w.-]*)(?= [\w./-]{1,60}(?:\[\d+\])?: )"
)
_QUOTED_PORT = TextRule(r"(?P<head>[\"'])(?P<name>[A-Za-z][\w.-]*)(?=:\d{4,5}[\"'])")
_CONNECT = TextRule(r"(?P<head>\b[Cc]onnect(?:ing|ed)? to [\"']?)" + _NAME + r"(?=[\"']?(?::|,|$))")
_PING = TextRule(r"(?P<head>\b(?:ping|ssh|traceroute|nslookup): ?|\b(?:ping|dmesg:) )" + _NAME + "(?=:| kernel:)")
_COUNTED = TextRule(r"(?P<head>\[)(?P<name>[a-z][a-z-]{0,30}\d[\w.-]{0,60})(?=:\d+/\d+\])")
_DOMAIN = TextRule(
    r"(?P<head>(?<![\w.@/-])|(?<=[,=]\.))(?P<name>(?:[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,6}\.(?:edu|com|"
    r"org|net|gov|mil|(?:ac|co|edu)\.[a-z]{2}))"
    rf"|(?=[a-z.]*[\d-])(?:[a-z][a-z0-9-]{{0,62}}\.){{2,6}}(?:{TOP_LEVEL})|"
    rf"(?:[a-z][a-z0-9-]{{0,62}}\.){{1,6}}(?:test|example|invalid|corp|lan|intranet))"
    r"(?![\w(]|[.-]\w)"
)
_LAUNCHER = TextRule(
    r"\b(?:pdsh|srun|salloc|sbatch|clush|mpirun|mpiexec|horovodrun|deepspeed|ray start)\b[^\n]{0,2000}"
)
_LAUNCHED_ON = TextRule(
    r"(?P<head>(?:^|\s)(?:-w|-H|-{1,2}hosts?|-{1,2}nodelist|--include|--exclude)[ =])(?P<name>[\w.,:\[\]@-]{2,500})"
)
_CLIENT = TextRule(
    r"\b(?:mysql|mysqldump|psql|pg_dump|pg_restore|redis-cli|mongosh?|mongodump|sqlcmd|ldapsearch|"
    r"smbclient)\b[^\n]{0,500}"
)
_CLIENT_HOST = TextRule(r"(?P<head>(?:^|\s)(?:-h|-H|-S|--host)[ =]?)(?P<name>[A-Za-z][\w.-]{1,100})(?=\s|$)")
_SLOTS = TextRule(r"(?m)^(?P<head>)(?P<name>[A-Za-z][\w.-]{0,99})(?= +slots=\d)")
_WORLD = TextRule(
    r"(?i)\b(?:world info dict|host_?info|resources?|active_resources|hostfile|node_?list)\b[^\n]{0,2000}"
)
_WORLD_HOST = TextRule(r"(?P<head>[{ ][\"'])(?P<name>[A-Za-z][\w.-]*)(?=[\"']: ?(?:\[\d|\d))")
_PORT = TextRule(
    r"(?P<head>(?<![\w./:@+-]))(?P<name>[A-Za-z][A-Za-z0-9-]*)"
    r"(?=:(?:(?:5000|27017|6379|5432|3306|8080|8888|10001|2379|29400|29500)\b(?![\w.]|:\S)"
    r"|\d{2,7}:\d+ +(?:NCCL|UCX|ucp|uct)|\d{2,7}:? NCCL))"
)
_NUMBERED_PORT = TextRule(
    r"(?P<head>(?<![\w./:@+-]))(?P<name>(?=[a-z-]{1,60}\d)[a-z][a-z0-9-]*)(?=:\d{4,5}(?![\w.]|:\S))"
)
_MPI = TextRule(r"(?m)(?P<head>\[)(?P<name>(?!rank\d|default\d)[A-Za-z][\w.-]*)(?=:\d{4,7}\] )")
_UCX = TextRule(r"(?P<head>\bUCX +[A-Z]{4,5} +)(?P<name>[A-Za-z][\w.-]*)(?=:\d)")
_POD = TextRule(r"(?P<head>\bpods?[/ ])(?P<name>[a-z][a-z0-9]*(?:-[a-z0-9]+)*-[a-z0-9]{5})(?![\w-])")
_NAMESPACE = TextRule(
    r"(?P<head>\b(?:kubectl|helm)\b[^\n]{0,300}? (?:-n|--namespace)[ =]|\bnamespace=)(?P<name>[a-z][\w-]+)"
)
_SCHEDULER = TextRule(
    r"(?P<head>\b(?:SLURM|SLURMD|PBS|LSB|SGE)_\w{0,60}(?:ADDR|ACCOUNT|HOST|NODE|NODES|NODELIST)=|\bNODELIST\(REASON\) )"
    r"(?P<name>[^\s\"']+)"
)

_PERSON = r"(?P<name>[A-Za-z][\w-]*(?:\.[\w-]+)*)"
_PERSON_FIELD = TextRule(
    r"(?i)(?P<head>(?<![\w])(?:[a-z][a-z0-9_]{0,30}[_.])?(?:whoami|owner"
    r"|(?:created|submitted|launched|started|run|requested)[_ ]by|author|committer|maintainer|assignee|reporter|user)"
    r"[\"']?[ \t]{0,12}[:=][ \t]{0,3}[\"']?)"
    r"(?!the )(?P<name>[A-Za-z][\w-]*(?:\.[\w-]+)*(?:[ \t]+[A-Za-z][\w.-]+){0,3})(?=[\"']?(?:\s*$|[,;)<}\]&]| <|\s*\n))"
)
_SUBMITTED = TextRule(
    r"(?P<head>(?i:\b(?:submitted|owned|requested|cancelled|canceled|preempted) by )[\"']?)"
    + _PERSON
    + r"(?=[\"']?(?:\s*$|[,;)\n]))"
)
_GIT_USER = TextRule(r"(?P<head>\buser\.(?:name|email)[ =]+[\"']?)(?P<name>[A-Za-z][^\n\"'=]{0,80})")
_GREETED = TextRule(r"(?P<head>\b(?:Hello|Hi|Dear|Welcome)(?: back)?,? )" + _PERSON + r"(?=[,!])")
_IDS = TextRule(r"(?P<head>\b(?:uid|gid|groups|euid)=\d+\()(?P<name>[A-Za-z_][\w.-]*)(?=\))")
_LISTED = TextRule(r"(?m)^(?P<head>[-dlbcps][-rwxsStT]{9}[.+@]? +\d+ +)(?P<name>[A-Za-z_][\w.-]* +[A-Za-z_][\w.-]*)")
_PROCESS = TextRule(r"(?m)^(?P<head>)(?P<name>[a-z_][\w.-]*\+?)(?= +\d{1,8} +\d{1,3}\.\d +\d{1,3}\.\d )")
_SUDO = TextRule(r"(?P<head>\bsudo(?:\[\d+\])?: +)(?P<name>[A-Za-z_][\w.-]*)(?= : )")
_TILDE = TextRule(r"(?P<head>(?<![\w~/.<>])~)(?P<name>[a-z_][\w-]*)(?=/)")
_REMOTE = TextRule(
    r"(?P<head>(?<![\w@/+.:<-]))(?P<name>[a-z_][\w-]{0,31}(?:\.[\w-]+)*@[a-z][\w-]+)(?=:[~/\w<]|:?(?:\s|$)|"
    r"[\"',;)])(?!:\d)"
)
_AT_ADDRESS = TextRule(r"(?P<head>(?<![\w@/.-]))(?P<name>[a-z_][\w.-]{0,31})(?=@<address>)")
_REPOSITORY = TextRule(
    r"(?P<head>(?i:\b(?:from_pretrained|load_dataset|snapshot_download|hf_hub_download|push_to_hub|"
    r"create_repo|repo_exists)\([\"']"
    r"|\b(?:model_id|hub_model_id|repo_id|repo|model_name_or_path|pretrained_model_name_or_path|"
    r"dataset_name|model_name|tokenizer_name|base_model"
    r"|_name_or_path|model)[\"']?\s?[:=]\s?[\"']?|--(?:model|repo|hub|tokenizer|"
    r"dataset)[\w-]{0,30}[ =][\"']?|\bto the Hub: )|(?<![\w/.@:-]))"
    r"(?P<name>[A-Za-z][\w-]{1,60})(?P<tail>/[A-Za-z][\w.-]{1,95})(?=(?P<prose> is not a local (?:folder|"
    r"file)| is not a valid model| is a private|"
    r" does not exist on the Hub|[\"'] is not)|[\"'\s,;)]|$)"
)
_RUN_USER = TextRule(r"(?P<head>/run/user/\d+/)(?P<name>[a-z_][\w.-]*)(?=/)")

_ROOTS = frozenset({
    # of a system, a container, a builder
    "usr", "opt", "lib", "lib32", "lib64", "libx32", "bin", "sbin", "etc", "proc", "sys", "dev", "var", "tmp", "run",
    "boot", "snap", "nix", "srv", "media", "root", "host", "app", "code", "src", "build", "builds", "content", "kaggle",
    "conda", "miniconda", "miniconda3", "anaconda3", "miniforge3", "mambaforge", "pytorch", "venv", "env", "envs",
    "site-packages", "dist-packages", "github", "__w", "library", "applications", "system", "private", "cygdrive",
    "python", "torch", "lightning", "transformers", "accelerate", "croot", "feedstock_root", "io", "dockerbuild",
    "rapids", "nvidia", "cuda", "rocm", "ray",
    # of an address on the web or in a cluster's API
    "api", "apis", "v1", "v2", "v3", "oauth", "oauth2", "login", "static", "health", "healthz", "metrics", "predict",
    "hub", "settings", "docs", "repos", "orgs", "search", "simple", "packages", "whl", "models", "resolve", "status",
    "webhooks", "services",
})  # fmt: skip
"""First parts of paths that belong to no person."""
_PART = r"[^/\s:'\"<>|,;()\[\]{}=*?`$#&%\\^]"
_ABSOLUTE = TextRule(rf"(?<![\w./~>:)\]}}*\\<-])/(?P<root>[A-Za-z_][\w.-]{{0,60}})(?P<rest>(?:/{_PART}{{1,255}})+)")
_SHARED = TextRule(rf"(?<![\w:/.<>])//[A-Za-z][\w.-]{{0,99}}(?P<rest>(?:/{_PART}{{1,255}}){{2,30}})")
_DRIVE = TextRule(
    r"(?i)(?<![\w\\])[a-z]:(?P<slash>\\{1,2})(?P<root>[^\\/:'\"<>|"
    r"\n]{1,60})(?P<rest>(?:(?P=slash)[^\\/:'\"<>|\s]{1,99}){2,12})"
)
_DRIVE_ROOTS = frozenset({
    "users", "documents and settings", "program files", "program files (x86)", "programdata", "windows", "tools", "a",
    "hostedtoolcache", "miniconda3", "anaconda3", "ci", "actions",
})  # fmt: skip
_STORE = TextRule(
    rf"(?P<scheme>\b(?:s3a?|gs|gcs|az|abfss?|wasbs?|hdfs|r2|oci|oss|cos|"
    rf"obs)://[^\s/'\"]{{1,200}})(?P<rest>(?:/{_PART}{{1,255}}){{2,30}})"
)
_CODE = re.compile(r"(?:^|/)((?:lib/python3|site-packages|dist-packages)(?:[./].*)?)$")


def hide_secrets(text: str) -> str:
    """Hide random strings, and values after a word for a secret."""
    text = _LOGGED_IN.sub(_secret(0.3), text)
    text = _NAME_AND_VALUE.sub(_secret(0.0), text)
    text = _NAMED.sub(_secret(0.2), text)
    if _HEX.search(text):
        text = "\n".join(line if _DIGEST.search(line) else _HEX.sub(SECRET, line) for line in text.split("\n"))
    return _LONG.sub(lambda found: SECRET if _is_random(found[0]) else found[0], text)


def hide_machines(text: str, is_public: Callable[[str], bool]) -> str:
    """Hide names of machines, found by the word or flag before, the port after, or the domain."""
    text = _LAUNCHER.sub(lambda line: _LAUNCHED_ON.sub(_named(HOST), line[0]), text)
    text = _CLIENT.sub(lambda line: _CLIENT_HOST.sub(_named(HOST), line[0]), text)
    text = _WORLD.sub(lambda line: _WORLD_HOST.sub(_named(HOST), line[0]), text)
    for rule in (
        *(_HOST_FIELD, _MACHINE_FIELD, _PLACED, _SLOTS, _PORT, _NUMBERED_PORT, _MPI, _UCX, _POD, _NAMESPACE),
        *(_SCHEDULER, _LOST, _FAILED_ON, _ON, _SHARE, _SYSLOG, _QUOTED_PORT, _CONNECT, _PING, _COUNTED),
    ):
        text = rule.sub(_named(HOST, is_public), text)
    return _DOMAIN.sub(lambda found: found[0] if is_public(found[0]) else HOST, text)


def hide_people(text: str) -> str:
    """Hide names of users, found by the word before or by the form of the line."""
    text = _REPOSITORY.sub(_repository, _REMOTE.sub(_remote, text))
    for rule in (
        _PERSON_FIELD, _SUBMITTED, _GIT_USER, _GREETED, _IDS, _LISTED, _PROCESS, _SUDO,
        _TILDE, _AT_ADDRESS, _RUN_USER,
    ):  # fmt: skip
        text = rule.sub(_named(USER), text)
    return text


def hide_folders(text: str) -> str:
    """Hide absolute paths under a root that no system has; the file's own name and paths inside a library are kept."""
    text = _STORE.sub(lambda found: f"{found['scheme']}/{FOLDER}/{found['rest'].rpartition('/')[2]}", text)
    text = _SHARED.sub(lambda found: f"//{HOST}/{FOLDER}/{found['rest'].rpartition('/')[2]}", text)
    return _ABSOLUTE.sub(_folder, _DRIVE.sub(_drive, text))


def _drive(found: re.Match[str]) -> str:
    if found["root"].lower() in _DRIVE_ROOTS or found["root"].lower().startswith("python"):
        return found[0]
    slash = found["slash"]
    return f"{FOLDER}{slash}{found['rest'].rpartition(slash)[2]}"


def _folder(found: re.Match[str]) -> str:
    line = found.string[found.string.rfind("\n", 0, found.start()) + 1 : found.start()]
    if found["root"].lower() in _ROOTS or (line.endswith("url: ") and HOST not in line):
        return found[0]
    parts = found["rest"][1:]
    code = _CODE.search(parts)
    last = code[1] if code else parts.rpartition("/")[2]
    return f"{FOLDER}/{last}" if "/" in parts else found[0]


def _named(label: str, is_public: Callable[[str], bool] = lambda _: False) -> Replace:
    def put(found: re.Match[str]) -> str:
        name = found["name"]
        return (
            found[0]
            if (label == HOST and (_TYPE.fullmatch(name) or says_nothing(name)))
            or _ends_with_word(found["head"].rstrip("= :\"'"), name)
            or all(word in _NOBODY for word in name.lower().split())
            or is_public(name)
            else f"{found['head']}{label}{found[0][found.end('name') - found.start() :]}"
        )

    return put


def _ends_with_word(text: str, word: str) -> bool:
    before = text[: -len(word)][-1:]
    return text.endswith(word) and not (before.isalnum() or before == "_")


_TYPE = re.compile(r"(?:[A-Z][a-z]+){2,6}")
"""A name in camel case is a type, not a machine."""
_NOBODY = COMMON_NAMES | {
    "there", "everyone", "all", "world", "port", "a", "an", "the", "this", "that", "it", "another", "none", "null",
    "true", "false", "unknown", "any",
    "each", "name", "memory", "side", "device", "rank", "group", "cpu", "cuda", "gpu", "str", "int", "bool", "self",
    "other", "x86_64", "aarch64", "arm64", "amd64", "is", "not", "to", "and", "or", "of", "in", "for",
    "failed", "error", "info", "import", "startup", "start", "load", "save", "exit", "tensor", "process", "agent",
    "server", "machine", "client", "system", "github", "gitlab", "pip", "conda",
}  # fmt: skip
_KNOWN = KNOWN_OWNERS | _NOBODY


def _repository(found: re.Match[str]) -> str:
    """Hide the owner of a repository of a model hub unless it is well known."""
    if not (found["head"] or found["prose"]) or found["name"].lower() in _KNOWN:
        return found[0]
    return f"{found['head']}{USER}{found['tail']}"


def _remote(found: re.Match[str]) -> str:
    user, _, host = found["name"].partition("@")
    if user in {"git", "pypi"} or user.startswith("self") or host in {"latest", "main", "master", "dev", "next"}:
        return found[0]
    return f"{USER}@{host if host == 'localhost' else HOST}"


def _secret(least: float) -> Replace:
    def put(found: re.Match[str]) -> str:
        value = found["value"]
        digits = sum(c.isdigit() for c in value)
        if not digits or value.isdecimal() or _changes(value) < least or value.startswith("/"):
            return found[0]
        return f"{found['head']}{SECRET}"

    return put


def _changes(text: str) -> float:
    """Changes between lower case, upper case and digits, per character."""
    kinds = [1 if c.islower() else 2 if c.isupper() else 3 for c in text if c.isalnum()]
    return sum(one != other for one, other in pairwise(kinds)) / max(1, len(kinds) - 1)


def _is_random(text: str) -> bool:
    """True for a random string: all kinds of characters, changing often.  Words, paths and symbols change rarely."""
    if text.startswith("_Z") or not any(c.islower() for c in text) or not any(c.isupper() for c in text):
        return False
    if sum(map(len, _CAMEL.findall(text))) >= MOST_OF_WORDS * len(text):
        return False
    if sum(c.isdigit() for c in text) > 1:
        return _changes(text) >= RANDOM_CHANGES
    # A name in camel case has longer words.
    words = _LOWER.findall(text)
    return _changes(text) >= RANDOM_CHANGES + 0.12 and sum(map(len, words)) < 2 * len(words)
