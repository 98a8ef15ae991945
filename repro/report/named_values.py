"""Hides values that are private by their names: ``NAME=value``, ``"name": "value"``, ``--name value`` and the like.

A name is split into words ("X-Hub-Signature-256", "userName", "AWS_SECRET_ACCESS_KEY").  Its last words decide
whether the value is a secret, a person, a machine or an identity.  The value counts too: numbers, types,
placeholders, paths and code expressions name nobody.
"""

import re
from collections.abc import Callable
from enum import Enum
from functools import lru_cache

from repro.report.labels import COMMON_NAMES, HOST, IDENTITY, SECRET, USER
from repro.report.text_rule import TextRule
from repro.report.web_addresses import KNOWN_OWNERS

LEAST_OF_SECRET, LEAST_OF_WORD, LEAST_OF_NUMBER, LEAST_OF_IDENTITY = 4, 8, 12, 5
"""Minimum lengths: of a secret, of one in quotes without digits, of one of digits only, and of an identity."""


class PrivateKind(Enum):
    """What kind of private value a name stands for; each member's value is the label that replaces it."""

    SECRET = SECRET
    PERSON = USER
    MACHINE = HOST
    IDENTITY = IDENTITY


SECRETS = frozenset({PrivateKind.SECRET, PrivateKind.IDENTITY})
NAMES = frozenset({PrivateKind.PERSON, PrivateKind.MACHINE})


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SECRET = _words(
    "token password passwd passphrase passcode secret secrets credential credentials creds cred apikey authtoken"
    " accesskey secretkey privatekey passkey pwd pgpassword pgpass otp totp sas dsn cookie cookies jwt bearer csrf"
    " xsrf csrftoken xsrftoken sessionid sid signature sig hmac salt pepper seedphrase mnemonic pat webhook auth"
    " authorization pass pw psk wpa pin connstr authkey"
)
"""If a name ends with one of these words, its value is a secret."""
_SECRET_ENDS = ("password", "passwd", "passphrase", "secret", "token", "apikey", "credential", "credentials", "pwd")
"""The same for one word with such an ending: "dbpassword"."""
_KEY_OWNERS = _words(
    "api access private account auth signing sign encryption encrypt master session service client license licence"
    " webhook db ssh app application secret storage shared deploy admin root user project team write read server"
    " registration subscription primary secondary consumer instrumentation ingest relay fernet aes rsa gpg pgp tls ssl"
    " jwt cookie django flask rails wandb comet neptune openai anthropic datadog dd hf aws azure gcp do cohere mistral"
    " groq together replicate pinecone langchain langsmith serpapi tavily newrelic honeycomb algolia mailgun sendgrid"
    " stripe twilio sentry segment mixpanel amplitude maps tunnel wireguard vpn node cluster munge join bootstrap"
    " pre preshared"
)
"""A "key" after one of these words is a secret; any other "key" only if its value looks random."""
_ML_TOKENS = _words(
    "img row col line break boi eoi bov eov pad bos eos unk cls sep mask image special new max min num "
    "next prev first last current start end begin stop audio"
    " video text prompt generated eot eom bot decoder encoder forced suppress sot input output target draft extra added"
    " additional per total number all each this that a the of no in any is was with without pred predicted gold other"
    " padding unknown mask_ sample sampled word sub byte bpe special_ one two leading trailing end_ lora expert"
    " think thinking reasoning tool chat placeholder tokens"
)
"""A "token" beside one of these words is a piece of text."""
_PERSON = _words(
    "user username usr login logname owner author committer account acct accountname entity workspace org"
    " organization organisation team tenant member assignee reporter contact operator submitter customer creator"
    " project maintainer reviewer employee nick nickname actor requester mail email whoami uploader"
    " sender recipient approver supervisor student researcher admin userid loginname principal uname"
    " fullname realname displayname firstname lastname surname oncall pager coauthor uid user_name "
    "sudo_user remote_user run_as runas upn"
)
_MACHINE = _words(
    "host hostname hosts hostlist node nodename nodes nodelist nodeid server servers servername machine machines"
    " machinename computer computername instance container pod podname vm broker brokers master gateway"
    " domain userdomain fqdn addr address endpoint remote bucket buckets cluster clustername proxy ip ips"
    " localhost_ loghost headnode workernode minion agent_ hypervisor bmc ipmi idrac nas filer share jumphost bastion"
    " runner hostfile namespace frontend relay logonserver hn vhost"
)
_SURE_MACHINE = _words(
    "host hostname hosts hostlist nodename nodelist computername machinename fqdn bucket servername "
    "clustername headnode"
    " loghost podname logonserver userdomain jumphost bastion nas filer nodes"
)
"""After all other words of machines, a word in a line of prose must look like a machine's name."""
_CALLED = _words("node server machine broker bucket nodeid pod vm gateway proxy")
"""For these words only ``NAME=word`` names a machine."""
_IDENTITY = _words(
    "serial serialnumber guid uuid mac hwaddr lladdr imei machineid hostid bootid sn wwn deviceid fingerprint"
)
_AFTER = _words("id name value val key data str string string_ env header hash addr sn no")
"""Words that may follow the deciding word: "access_key_id", "user name", "token value"."""
_META = _words(
    "length len count size type file path limit index idx ids num dim expiry expires expire ttl url uri policy required"
    " enabled exists version var format class provider manager reader per embedding mask position padding loss logits"
    " prob mode method field scheme prefix suffix port rank ranks local world group state status list_ map fn func"
    " function handler callback store storage cache warning error errors env_ names keys scopes scope"
)
_PASSES = _words("forward backward no fwd bwd second render")
"""A "pass" after one of these words is no password."""
_DERIVED = _words("hash data header value val str string")
_COMPOUND: dict[tuple[str, ...], PrivateKind | None] = {
    tuple(pair.split()): kind
    for kind, pairs in (
        (
            PrivateKind.IDENTITY,
            (
                "serial number|serial no|machine id|host id|boot id|system serial|board serial|container id|account id"
                "|subscription id|tenant id|client id|physical address|asset tag|node guid|port guid"
            ),
        ),
        (None, "device id|initial catalog|memory address|base address"),
        (PrivateKind.MACHINE, "data source|instance id|computer name|ip address"),
        (
            PrivateKind.PERSON,
            "user id|full name|real name|display name|first name|last name|family name|given name|run as",
        ),
    )
    for pair in pairs.split("|")
}
"""Two words with a meaning of their own; None means not private."""

_NAME = r"(?P<name>(?:[A-Za-z][A-Za-z]{1,20} )?[A-Za-z_$@][\w.$-]{0,80}?)"
_QUOTED = r"(?:[bru]{0,2}\"[^\"\n]{0,4000}\"|[bru]{0,2}'[^'\n]{0,4000}'|\\{1,3}\"[^\"\n\\]{0,4000}\\{1,3}\")"
_FULL_NAME = (
    r"[A-Z][a-z\u00DF-\u024F'-]{1,30}(?: (?:van |von |de |der |la )?[A-Z][a-z\u00DF-\u024F'-]{1,30}){1,3}"
    r"(?=\s*(?:$|[,;<(\n]))"
)
_BARE = r"[^\s\"'<>&,;|\\{}()\[\]][^\s\"'<>&,;|\\]{0,4000}"
_FIELD = TextRule(
    rf"(?<![\w.$@/-])(?P<head>{_NAME}(?:\\{{0,3}}[\"'])?\]?"
    rf"(?P<sep>[ \t]{{0,40}}(?:=>|->|:=|[:=|](?![:=/]))[ \t]{{0,4}}|,[ \t]{{0,2}}(?=[\"'])|(?<=[\"']):\s{{0,3}}))"
    rf"(?P<value>{_QUOTED}|{_FULL_NAME}|{_BARE})"
)
_IN_QUOTES = TextRule(
    r"(?P<head>(?P<quote>[\"'])(?P<name>[A-Za-z_]\w{1,80})(?P<sep>=))(?P<value>[^\"'\n<]{1,4000})(?=(?P=quote))"
)
_FLAG = TextRule(
    rf"(?<![\w-])(?P<head>--?(?P<name>[A-Za-z][\w.-]{{1,60}})(?P<sep>[ =]))(?!-)(?P<value>{_QUOTED}|{_BARE})"
)
_ELEMENT = TextRule(r"(?P<head><(?P<name>[A-Za-z][\w.:-]{1,60})(?P<sep>)[^<>\n]{0,200}>)(?P<value>[^<\n]{2,400})(?=</)")
_PAIR = TextRule(
    r"(?i)(?P<head>\b(?:name|key)(?P<sep>[\"']?\s?[:=]\s?[\"']?)(?P<name>[A-Za-z_][\w.-]{1,80})[\"']?[,;]?\s{1,20}"
    rf"[\"']?value[\"']?\s?[:=]\s?)(?P<value>{_QUOTED}|{_BARE})"
)
_SET = TextRule(
    r"(?m)(?P<head>(?:^|[\s;])(?:setenv|ENV|ARG|export|set|SET|"
    r"git config(?: --global)?)(?P<sep>[ \t]+)(?P<name>[A-Z][A-Z0-9_]{1,80}|[a-z]+\.[\w.]{1,80}|"
    r"[a-z]+_[a-z_]{1,80})[ \t]+)"
    rf"(?P<value>{_QUOTED}|{_BARE})"
)
_LIST = TextRule(
    r"(?m)^(?P<head>(?:export |declare -x )?[A-Z][A-Z0-9_]{0,60}(?:HOSTS|NODES|NODELIST|HOSTLIST|"
    r"NODE_LIST)=)(?P<value>[^\n=]+)$"
)

_LABEL = re.compile(r"^[bru]{0,2}\\{0,3}[\"']?<[a-z ]+>")
_PLAIN = _words(
    "port List Dict Tuple Optional Union Any None string. none null nil true false yes no on off undefined "
    "unset empty redacted hidden default auto required optional missing"
    " invalid expired incorrect wrong set not please the is was are must has have failed error denied string str bytes"
    " bytearray int integer float bool boolean list dict tuple object any enter provided unknown "
    "unchanged and or an a this"
    " that it to of for with in by if then should will can may be been use used using check see try n/a "
    "na disabled enabled"
    " anonymous basic bearer digest negotiate ok valid present type token password secret key value values user name"
    " username host hostname only new old your my our their no such found given needed mismatch is_set env literal self"
    " cls callable optional[str] ... local remote world cpu cuda gpu gloo nccl mpi xla tpu meta rank "
    "device static c10d etcd"
    " thread process spawn fork data model train training eval test main worker server client master node "
    "all each many one"
    " two warning info debug critical call_function call_module call_method get_attr placeholder output "
    "root import exit start"
    " startup load save memory side tensor group file path public private internal external shared common global system"
    " machine container service job task done running pending completed succeeded skipped github gitlab pip conda pypi"
    " docker kubernetes slurm local_machine linux windows darwin macos x86_64 aarch64 arm64 amd64 "
    "huggingface_hub example"
    " counting compressing receiving resolving writing total enumerating created started stopped "
    "restarting exited expected"
    " closed refused reset unreachable reachable lost died down up ready connected disconnected "
    "connection timeout timed"
    " could cannot can't won't does did do got when where while because after before at from as non-persistent"
)
"""Values that identify nobody."""
_CODE_ROOTS = _words(
    "self cls os sys settings config cfg conf args opts options kwargs ctx context request req response params environ"
    " env torch np dist socket getpass secrets tokenizer model state module parser flags getenv process"
)
_CODE = re.compile(r"^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*[(\[]|^(?:lambda|await|not|f?\"{3})\b|^[\w.]+\[")
_VARIABLE = re.compile(
    r"^(?:\$\{|\$\(|\$[A-Z_]+$|%\(|\{|<|\[[A-Z]{2,8}\]|[A-Z_]{0,40}_(?:TOKEN|KEY|SECRET|PASSWORD|HERE)$"
    r"|[a-z]{0,4}_?\*{2,}|x{3,7}$|X{3,7}$|\.{3})"
)
_NAME_SHAPE = re.compile(r"^[A-Za-z0-9_@][\w.@+-]*(?:\[[\d,-]+\])?(?:[,;][\w.@+-]+(?:\[[\d,-]+\])?)*(?::\d{1,5})?$")
_OWNED = re.compile(r"[\w-]+/[\w.-]+")
_POD = re.compile(r"[a-z][\w-]*/[a-z][\w.-]*")
_CAPITALS = re.compile(r"^[A-Z\u00C0-\u024F][\w.'-]*(?:[ -](?:van|von|de|der|la|[A-Z\u00C0-\u024F][\w.'-]*)){1,3}$")
_TYPE = re.compile(r"(?:[A-Z][a-z]+){2,6}|[a-z]+\.[A-Z][A-Za-z]+")
_NUMBER = re.compile(r"^0x[0-9a-fA-F]+$|^[-+]?[\d.,:xe+-]*\d[\d.,:e+-]*[a-zA-Z%]{0,3}$")
_VERSION = re.compile(r"^v?\d+(?:\.\d+)+[\w.+-]*$")
_SPLIT = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words_of(name: str) -> list[str]:
    """The words of a name, in lower case, without numbers."""
    return [word.lower() for word in _SPLIT.findall(name) if not word.isdigit()]


@lru_cache(maxsize=4096)
def kind_of(name: str) -> PrivateKind | None:
    """The kind of private value that a name stands for, or None."""
    words = words_of(name)
    pair = tuple(words[-2:])
    if not words or pair in _COMPOUND:
        return _COMPOUND.get(pair)
    if words[-1] in _META:
        return None
    last = len(words) - 1
    while last and words[last] in _AFTER and words[last] != "key":
        last -= 1
    word, before, after = words[last], words[last - 1] if last else "", words[-1] if last < len(words) - 1 else ""
    if word == "key":
        return PrivateKind.SECRET if before in _KEY_OWNERS else None
    if word in _SECRET or word.endswith(_SECRET_ENDS) or (before, word) == ("key", "data"):
        return None if before in _PASSES or (word == "token" and before in _ML_TOKENS) else PrivateKind.SECRET
    return None if after in _DERIVED else _kind_of_word(word)


def _kind_of_word(word: str) -> PrivateKind | None:
    if word in _IDENTITY:
        return PrivateKind.IDENTITY
    if word in _PERSON or word.endswith(("username", "logname")):
        return PrivateKind.PERSON
    return PrivateKind.MACHINE if word in _MACHINE or word.endswith(("hostname", "nodename")) else None


def hide_named_values(text: str, kinds: frozenset[PrivateKind], is_public: Callable[[str], bool]) -> str:
    """Replace the values that are private by their names, of these kinds."""

    def put(found: re.Match[str]) -> str:
        head, value, separator = found["head"], found["value"], found["sep"]
        kind = kind_of(found["name"])
        # "f(token, 'x')" is code; "'token', 'x'" is a pair.
        pair = separator.startswith(",") and head.removesuffix(separator)[-1:] not in {'"', "'"}
        if kind not in kinds or _LABEL.match(value) or pair:
            return found[0]
        inner = value.lstrip("bru") if value[:1] in "bru" and value.rstrip("\\")[-1:] in "\"'" else value
        quoted = inner[:1] in "\"'\\"
        mark = re.match(r"\\{0,3}[\"']", inner)
        closing = mark[0] if quoted and mark else ""
        plain = inner[len(closing) : len(inner) - len(closing)] if closing else inner
        trimmed = plain if closing else plain.rstrip(")]}.:")
        rest = "" if closing else plain[len(trimmed) :]
        following = found.string[found.end() : found.end() + 1]
        if not closing and (following in {"(", "["} or (_CODE.match(trimmed + rest + following))):
            return found[0]
        if not _is_private(kind, found["name"], trimmed, separator, quoted=bool(closing), is_public=is_public):
            return found[0]
        return f"{head}{closing}{kind.value}{closing}{rest}"

    for rule in (_PAIR, _SET, _IN_QUOTES, _FLAG, _FIELD, _ELEMENT):
        text = _each(rule, put, text)
    return _LIST.sub(
        lambda found: f"{found['head']}{HOST}" if re.search(r"[a-zA-Z]", found["value"]) else found[0], text
    )


def _each(rule: TextRule, put: Callable[[re.Match[str]], str], text: str) -> str:
    """Like ``rule.sub``, but a value that is kept may be the name of the next one: ``error: host: x``."""
    if not rule.may_match(text):
        return text
    parts, at = [], 0
    while found := rule.pattern.search(text, at):
        new = put(found)
        end = found.end() if new != found[0] else found.start("value")
        parts += [text[at : found.start()], new if new != found[0] else text[found.start() : end]]
        at = end
    return "".join((*parts, text[at:]))


def _is_private(
    kind: PrivateKind, name: str, value: str, separator: str, *, quoted: bool, is_public: Callable[[str], bool]
) -> bool:
    """True if the value of a name of that kind is private."""
    low = value.lower().strip()
    # A password may be a common word; only a long one is taken for a placeholder.
    plain = low in _PLAIN and (kind is not PrivateKind.SECRET or len(low) < LEAST_OF_WORD)
    if not low or plain or _VARIABLE.match(value) or value.startswith(("/", "~", "./", "../")):
        return False
    if not quoted and (_TYPE.fullmatch(value) or name.lower().endswith(low) or is_code(value, name)):
        return False
    if kind is PrivateKind.SECRET:
        spoken = not quoted and separator.strip() == ":" and separator.endswith(" ")
        return _is_secret(name, value, quoted=quoted, spoken=spoken)
    if kind is PrivateKind.IDENTITY:
        numbered = any(c.isdigit() for c in value) and " " not in value
        return numbered and len(value) >= LEAST_OF_IDENTITY and not _VERSION.match(value)
    if low in COMMON_NAMES or _NUMBER.match(value) or _VERSION.match(value) or is_public(low.partition(":")[0]):
        return False
    return _names_somebody(kind, words_of(name), value, separator)


def _names_somebody(kind: PrivateKind, words: list[str], value: str, separator: str) -> bool:
    """True if a value looks like the name of a person or a machine."""
    if words[-1] == "project":
        return bool(_OWNED.fullmatch(value)) and value.partition("/")[0].lower() not in KNOWN_OWNERS
    if (kind is PrivateKind.PERSON and _CAPITALS.match(value)) or ("pod" in words and _POD.fullmatch(value)):
        return True
    if not _NAME_SHAPE.match(value) or len(value) == 1:
        return False
    if kind is PrivateKind.PERSON or _SURE_MACHINE & set(words):
        return True
    called = separator == "=" and bool(_CALLED & set(words))
    return called or (bool(re.search(r"[\d-]", value)) and "_" not in value)


def says_nothing(value: str, following: str = "") -> bool:
    """True if a value identifies nobody: a common word, a type, a placeholder or an expression."""
    low = value.lower()
    return (
        low in _PLAIN
        or low in COMMON_NAMES
        or bool(_VARIABLE.match(value))
        or following in {"(", "["}
        or is_code(value)
    )


def is_placeholder(value: str) -> bool:
    """True for a placeholder: ``${NAME}``, ``[MASK]``, ``***``, a constant."""
    return bool(_VARIABLE.match(value))


def is_of_text(name: str) -> bool:
    """True if a "token" belongs to a tokenizer: ``mask_token``."""
    words = words_of(name)
    return len(words) > 1 and words[-1] == "token" and (words[-2] in _ML_TOKENS or words[-2] == "patch")


def is_code(value: str, name: str = "") -> bool:
    """True for a code expression: an attribute of a common variable name, such as ``self`` or ``config``."""
    root, dot, _ = value.partition(".")
    known = root in _CODE_ROOTS or (name and root.lower().startswith(words_of(name)[-1:][0] if words_of(name) else "?"))
    return bool(dot and known and re.fullmatch(r"[A-Za-z_][\w.]*", value)) or bool(_CODE.match(value))


def _is_secret(name: str, value: str, *, quoted: bool, spoken: bool) -> bool:
    if len(value) < LEAST_OF_SECRET or (value.isdecimal() and len(value) < LEAST_OF_NUMBER) or _VERSION.match(value):
        return False
    drawn = bool(re.search(r"\d|[a-z][A-Z]|[^\w.\s-]", value))
    strong = bool({"password", "passwd", "passphrase", "secret", "pwd", "passcode"} & set(words_of(name)))
    if spoken:
        return drawn
    if re.fullmatch(r"[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)+", value) and not quoted:
        return drawn
    return drawn or strong or (quoted and " " not in value and len(value) >= LEAST_OF_WORD)
