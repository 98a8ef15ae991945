"""Hides people and machines in lines of known tools, by column, and in common phrases."""

import re

from repro.report.labels import COMMON_NAMES, HOST, IDENTITY, SECRET, USER
from repro.report.text_rule import TextRule

_PROCESS = TextRule(
    r"(?m)^(?P<head>)(?P<user>[A-Za-z_][\w.-]*\+?)(?= +\d{1,8} +\d{1,4}(?:\.\d)? +\d{1,3}(?:\.\d)? +\d+ +\d+ )"
)
_QUEUE = TextRule(
    r"(?m)^(?P<head>[ \t]*\d+(?:[_.+][\w\[\],%-]{1,40})?[ \t]+\S+[ \t]+\S+[ \t]+)(?P<user>[A-Za-z_][\w.-]*)"
    r"(?P<between>[ \t]+[A-Z]{1,2}[A-Z]{0,10}[ \t]+[\d:-]+(?:[ \t]+[\d:-]+)?[ \t]+\d+[ "
    r"\t]+)(?P<host>[^\s(]+|\([^)\n]*\))"
)
_PGPASS = TextRule(
    r"(?m)(?P<head>^[#\s]*|[ \t])(?P<host>[\w.*-]{1,100}|<host>|<address>)(?P<between>:(?:\d{2,5}|\*):[\w*-]{1,60}:)"
    r"(?P<user>[\w.*-]{1,60}):(?P<secret>[^\s:]{4,200})$"
)
_LAST = TextRule(r"(?m)^(?P<head>)(?P<user>[a-z_][\w.-]*)(?P<between> +(?:pts|tty)/?\d* +)(?P<host>[\w.:<>-]+)(?= +\S)")
_DIR_PROMPT = TextRule(
    r"(?m)^(?P<head>(?:\([\w.-]{1,40}\) )?)(?P<host>[A-Za-z][\w-]{2,62})(?P<between>:[\w.~/-]{1,80} )"
    r"(?P<user>[a-z_][\w.-]{1,31})(?=[$%#](?: |$))"
)
_FULL_PROCESS = TextRule(
    r"(?m)^(?P<head>)(?P<user>[A-Za-z_][\w.-]*\+?)(?= +\d{1,8} +\d{1,8} +\d{1,3} +(?:\d\d:\d\d|"
    r"[A-Z][a-z]{2} ?\d{1,2}|\d{4}) )"
)
_TOP = TextRule(
    r"(?m)^(?P<head> *\d{1,8} +)(?P<user>[A-Za-z_][\w.-]*\+?)(?= +(?:rt|"
    r"-?\d{1,3}) +-?\d{1,3} +[\d.]+[kmgt]? +[\d.]+[kmgt]? )"
)
_OPEN_FILE = TextRule(
    r"(?m)^(?P<head>[\w.:/-]{1,20} +\d{1,8} +(?:\d{1,8} +)?)(?P<user>[A-Za-z_][\w.-]*)(?= "
    r"+(?:\d+[a-zA-Z]{0,2}|cwd|txt|mem|rtd) +(?:IPv|REG|DIR|CHR|FIFO|unix|sock))"
)
_STATE = (
    r"(?:R|PD|CG|CD|F|CA|TO|NF|PR|S|ST|Q|H|E|C|qw|hqw|Eqw|dr|RUN|PEND|EXIT|DONE|SSUSP|USUSP|RUNNING|"
    r"PENDING|COMPLETED|COMPLETING|FAILED|"
    r"CANCELLED\+?|TIMEOUT|NODE_FAIL|OUT_OF_ME\+?|OUT_OF_MEMORY|PREEMPTED)"
)
_BJOBS = TextRule(
    rf"(?m)^(?P<head> *\d+ +)(?P<user>[A-Za-z_][\w.-]*)(?P<between> +{_STATE} +\S+ "
    rf"+)(?P<host>[A-Za-z][\w.-]*)(?P<more> +)(?P<host2>(?:\d+\*)?[A-Za-z][\w.:*-]*)?"
)
_QSTAT = TextRule(
    r"(?m)^(?P<head> *\d+(?:\.[\w.-]+)? +(?:\d\.\d+ +)?\S+ +)(?P<user>[A-Za-z_][\w.-]*)"
    rf"(?P<between> +(?:{_STATE}|r|t|s|\d\d:\d\d:\d\d) +\S+ ?(?:\d\d:\d\d:\d\d)? *)(?P<host>[\w.]+@[\w.-]+)?"
)
_SACCT = TextRule(
    rf"(?m)^(?P<head>\d+(?:[._+][\w+]+)? +(?:\S+ +)??)(?P<user>[a-z_][\w.-]*) "
    rf"+(?P<host>[a-z][\w.+-]*)(?P<more> +)(?P<host2>[\w.\[\],-]+)?(?= +{_STATE}\b)"
)
_SINFO = TextRule(
    r"(?m)^(?P<head>\S+ +(?:up|down|drain|inact) +\S+ +\d+ +[a-z]{2,5}[a-z*~#$@^-]{0,7} "
    r"+)(?P<host>[A-Za-z][\w.,\[\]-]*)"
)
_WHO = TextRule(
    r"(?m)^(?P<head>)(?P<user>[a-z_][\w.-]*)(?P<between> +(?:pts/\d+|tty\w{1,4}|ssh:notty|"
    r":\d) +(?:\d{4}-\d\d-\d\d \d\d:\d\d +\(?)?)(?P<host>[\w.:<>-]+)"
)
_GPUSTAT = TextRule(r"(?P<head>(?<= )(?:\| )?)(?P<user>[a-z_][\w.-]{1,31})(?=(?::\w+/\d+)?\(\d+M\))")
_STAT = TextRule(r"(?P<head>\b[UG]id: \( *\d+/ *)(?P<user>[A-Za-z_][\w.-]*)(?=\))")
_TRAILER = TextRule(r"(?m)^(?P<head>\s*[A-Z][a-z]+(?:-[a-z]+){0,3}-by: )(?P<user>[^<\n@]{2,60}?)(?= ?[<\n]|$)")
_TODO = TextRule(r"(?P<head>\b(?:TODO|FIXME|XXX|HACK)\(@?)(?P<user>[A-Za-z][\w.-]{1,31})(?=\))")
_SSH_CONFIG = TextRule(r"(?m)^(?P<head>[ \t]+(?:HostName|ProxyJump|Hostname|hostname)[ \t]+)(?P<host>[^\s=]+)$")
_SSH_USER = TextRule(r"(?m)^(?P<head>[ \t]+User[ \t]+)(?P<user>[A-Za-z_][\w.-]*)$")
_PREFIX = TextRule(
    r"(?m)^(?P<head>(?:pdsh@\S+: |<user>@<host>: )?)(?P<host>(?!rank|default|gpu|cuda|cpu|step|epoch|layer|"
    r"worker|node_rank|conv|block)[a-z][a-z-]{0,30}\d{1,5}[\w.-]{0,40})"
    r"(?=: (?:Traceback|\[|ssh|python|bash|/|WARN|ERROR|INFO|[A-Z]\w+(?:Error|Exception|Warning)\b|"
    r"Connection|Permission|Killed|srun|slurm|NCCL|Warning|mpi|"
    r"torch|  File|kex_|Host key))"
)
_DISTINGUISHED = TextRule(
    r"(?i)\b(?:uid|cn|ou|dc|o|l|st|c)\s?=\s?[^,=\n/]{1,80}(?:,\s?(?:uid|cn|ou|dc|o|l|st|c|"
    r"emailaddress)\s?=\s?[^,=\n/'\"<>]{1,80}){1,10}"
)
_DN_PART = TextRule(r"(?i)(?P<head>\b(?:uid|cn|ou|dc|o|emailaddress)\s?=\s?)(?P<host>[^,=\n<>]{2,80})")
_ARN = TextRule(r"(?P<head>\barn:aws[\w-]*:[\w-]*:[\w-]*:)(?P<id>\d{12})?:(?P<host>[^\s'\",)]{1,200})")
_RESOURCE = TextRule(
    r"(?P<head>(?:(?<![\w./-])projects|(?<![\w.-])(?:namespaces|resource[Gg]roups|subscriptions|"
    r"organizations|tenants|serviceAccounts|billingAccounts|workspaces|"
    r"managementGroups|storageAccounts))/)(?P<host>[a-z0-9<][\w.@<>-]{2,80})(?=/|$|[\s'\",])"
)
_PROJECT = TextRule(
    r"(?i)(?P<head>\b(?:set project |--project[= ]|(?:cloud|gcp|quota|"
    r"google_cloud)[_ ]?project(?:[_ ]id)?[\"']?\s?[:=]\s?[\"']?|project_?id[\"']?\s?[:=]\s?[\"']?))"
    r"(?P<host>[a-z][a-z0-9-]{4,60})"
)
_ALIAS = TextRule(r"(?P<head>\bmc (?:alias set|config host add) \S+ \S+ )(?P<user>\S+) (?P<secret>\S+)")
_ECHO = TextRule(
    r"(?P<head>\b(?:echo|printf)(?: -n)? [\"']?)(?P<secret>[^\s\"'|"
    r"$<]{3,200})(?=[\"']?\s*\|[^\n]{0,100}(?:--password-stdin|\bpasswd\b|sudo -S|chpasswd|secret create|base64|login))"
)
_GPU_SERIAL = TextRule(r"(?P<head>\b(?:NVIDIA|Tesla|Quadro) [^,\n]{2,60}, )(?P<id>\d{10,13})\b")
_ANGLE = TextRule(r"(?P<head><)(?P<user>[a-z_][\w.-]*)@(?P<host>[A-Za-z][\w.-]*)(?=>)")
_WHOAMI = TextRule(
    r"(?P<head>[\"']name[\"']: ?[\"'])(?P<user>[\w .-]{2,60})(?=[\"'][^\n]{0,300}[\"'](?:fullname|email|"
    r"orgs|isPro|canPay)[\"'])"
)
_ASSIGNED = TextRule(r"(?P<head>\bassigned )(?P<host>[\w-]+/[\w.<>-]+) to (?P<host2>[\w.-]+)")
_INTERFACE = TextRule(
    r"(?P<head>(?<![\w.-]))(?P<host>[a-z][a-z-]{0,40}\d{1,6}[a-z0-9]{0,20}-(?:ib|eth|opa|bmc|ipmi|mgmt|hsn|"
    r"data|idrac)\d{0,2})(?![\w-])"
)
_LOOKED_UP = TextRule(
    r"(?i)(?P<head>\b(?:(?:address|host(?:name)?|name|dns entry|dns record|record|route|resolution)(?: for|"
    r" of| to):? [\"'`]?|(?:ping|resolve|lookup) [\"'`]?|"
    r"not known:? [\"'`]|service not known:? [\"'`]?|Authenticating to |connect(?:ing|ed)? to |reach |"
    r"Running on |mounted from ))"
    r"(?P<host>(?!(?:python|cuda|torch|linux|rank|gpu|cpu|device|layer|port|step|release|version|"
    r"ubuntu)[\d.-])(?=[\w-]*\d|[\w-]+\.\w)[A-Za-z][\w-]*(?:\.[\w-]+)*)(?=[\"'`]?(?:[:\s,;)]|\.?$))"
)
_DONE_BY = TextRule(
    r"(?i)(?P<head>\b(?:(?:run|ran|submitted|started|launched|created|owned|uploaded|pushed|committed|"
    r"approved|reviewed|edited|deployed|triggered|"
    r"requested|merged|tagged|signed|"
    r"cancell?ed) by (?:user )?|"
    r"(?:login successful|logged in|signed in|authenticated|connected|\brunning|running on \S+|"
    r"authenticating to \S+|session) as:? )[\"'`]?)"
    r"(?P<user>[A-Za-z_][\w.-]{2,40})(?=[\"'`]?(?:\s*$| on | at | from | \(|[,;@)]))"
)
_ENTITY = TextRule(r"(?P<head>[Ll]ogged in as:? (?:<user>|[\w.@-]+) \()(?P<host>[\w.-]{2,60})(?=\))")
_FAILED_FOR = TextRule(
    r"(?i)(?P<head>\b(?:(?:authentication|preauthentication|login|access|permission|authorization|"
    r"credentials|password|quota) (?:check )?(?:has )?"
    r"(?:failed|denied|failure|expired|exceeded|rejected|refused|not found) (?:for|to|of) (?:user |"
    r"account )?[\"'`]?))(?P<user>[A-Za-z_][\w.-]{1,60})(?=[\"'`]?(?:\s*$|[\s:,;.)@]))"
)
_SU = TextRule(r"(?P<head>\bsu (?:-l |-c |- )?)(?P<user>[a-z_][\w.-]{2,31})(?=[\"']|\s*$)")
_EXEC_HOSTS = TextRule(r"(?P<head>[+ =])(?P<host>[a-z][\w.-]*\d[\w.-]*|<host>)(?=/\d+(?:\*\d+)?(?:\+|\s|$))")
_DEFAULT_LOGIN = TextRule(r"(?P<head>\bdefault\s+login\s+)(?P<user>\S+)(?P<between>\s+password\s+)(?P<secret>\S+)")
_CONNECTION = TextRule(
    r"(?i)(?P<head>;\s?(?:password|pwd|accountkey|sharedaccesskey|"
    r"secret)\s?=\s?)(?P<secret>(?![/~])[^;\n\"']{3,200})(?=;|\s*$|[\"'])"
)
_PROFILE = TextRule(
    r"(?i)(?P<head>\b(?:(?:using|with|named|aws|loading|loaded|switched to) (?:the )?profile |AWS_PROFILE=|"
    r"--profile[ =])[\"']?)"
    r"(?P<user>[A-Za-z][\w.-]{2,60})"
)
_IN_NAMESPACE = TextRule(
    r"(?P<head>\b(?:in|from|to) (?:the )?namespace [\"']?)(?P<host>(?=[\w-]*[\d-])[a-z][a-z0-9-]{2,60})(?![\w.:(])"
)
_STEP_DAEMON = TextRule(
    r"(?P<head>\b(?:slurmstepd|slurmd|prolog|epilog|orted|prted|pbs_mom)[-@](?:on-)?)(?P<host>[A-Za-z][\w.-]*)(?=:)"
)
_LOGIN_CALL = TextRule(
    r"(?i)\b(?:\w{0,20}(?:log_?in|sign_?in|authenticate|basic_?auth|credentials|"
    r"set_credentials))\((?:[\"'][^\"'\n]{1,80}[\"'],? ?){1,3}\)"
)
_ARGUMENT = TextRule(r"(?P<head>[\"'])(?P<secret>[^\"'\n<]{2,80})(?=[\"'])(?P<close>[\"'])")
_PODS = TextRule(
    r"(?m)^(?P<head>(?:[a-z][\w-]* +)?)(?P<host>[a-z][\w.-]*)(?P<between> +\d+/\d+ +[A-Z][\w:]* +\d+(?: "
    r"\([^)\n]*\))? +\w+)(?:(?P<more> +\S+ +)(?P<host2>[a-z][\w.-]*))?"
)
_NODES = TextRule(r"(?m)^(?P<head>)(?P<host>[a-z][\w.-]*)(?= +(?:Not)?Ready\b)")
_DESCRIBED = TextRule(
    r"(?m)^(?P<head>(?:Name|Node|Namespace|Service Account|Controlled By|Job Name|"
    r"Host): {4,60}(?:\w+/)?)(?P<host>[A-Za-z][\w.-]{2,120})(?=\s*$)"
)
_HOST_PROMPT = TextRule(r"(?m)^(?P<head>)(?P<host>[a-z][a-z-]*\d[\w-]*)(?=[%>$#] (?:[a-z./]|$))")
_POWERSHELL = TextRule(r"(?P<head>\bPSCredential\([\"'])(?P<user>[^\"'\n]+)(?=[\"'])")
_SECURE = TextRule(r"(?i)(?P<head>\bConvertTo-SecureString (?:-String )?[\"'])(?P<secret>[^\"'\n]+)(?=[\"'])")
_BATCH_ACCOUNT = TextRule(
    r"(?P<head>(?:#SBATCH|#PBS|#BSUB|#\$|\b(?:srun|sbatch|salloc|qsub|bsub)\b[^\n]{0,200}?) +(?:-A|"
    r"--account|-P)[ =])(?P<user>[A-Za-z][\w.-]+)"
)
_BATCH_NODES = TextRule(
    r"(?P<head>(?:#SBATCH|#PBS|#BSUB) +(?:-w|--nodelist|-x|--exclude|-l nodes|-m)[ =])(?P<host>[A-Za-z][\w.,\[\]+-]+)"
)
_RANGE = TextRule(
    r"(?P<head>(?<![\w./-]))(?P<host>(?!(?:layers?|gpus?|ranks?|devices?|experts?|blocks?|nodes?|steps?|"
    r"epochs?|stages?|cpus?|cuda|tp|pp|dp|args?|shards?|h|x|a)\[)"
    r"[a-z][a-z0-9.-]*[a-z0-9-]\[\d+(?:-\d+)(?:,\d+(?:-\d+)?)*\])"
)
_AT_PROXY = TextRule(r"(?P<head>\[(?:proxy|mpiexec|prted|orted)[\w:.]*@)(?P<host>[A-Za-z][\w.-]*)(?=[\]:,])")
_PAREN_ON = TextRule(r"(?P<head>\)[:,]? on )(?P<host>(?=[\w-]*\d)[a-z][\w.-]*)(?=\s|$|[,:])")
_LOGIN_FOR = TextRule(
    r"(?i)(?P<head>\b(?:login|log-?in|sign-?in|logon|authentication|auth|access) (?:succeeded|successful|"
    r"granted|ok|accepted|complete[d]?) (?:for|as|to) (?:user )?[\"']?)(?P<user>[A-Za-z_][\w.@-]+)"
)
_ENTITY_SPOKEN = TextRule(
    r"(?P<head>\b(?:entity|workspace|team|organization|tenant|"
    r"project) [\"']?)(?P<user>(?=\w*[\d_-])[A-Za-z][\w-]{2,60})(?=[\"']? (?:not found|does not|is not|"
    r"was not|has no|has been|has exceeded|could not))"
)
_NOT_FOUND = TextRule(
    r"(?P<head>\b(?:not found|no access to|permission denied for|"
    r"cannot access) \(?[\"']?)(?P<user>[A-Za-z][\w-]{2,60})/(?P<host>[A-Za-z][\w.-]{2,60})(?=[\"')])"
)
_FORGE = TextRule(r"(?P<head>(?<![\w@])(?:github\.com|gitlab\.com|bitbucket\.org):)(?P<user>[\w.-]+)/(?P<host>[\w.-]+)")
_PULL = TextRule(r"(?P<head>\bMerge (?:pull request #\d+ from|branch '[^'\n]+' of) )(?P<user>[A-Za-z][\w.-]*)(?=/)")
_ADDRESSEES = TextRule(
    r"(?m)(?P<head>(?i:\b(?:cc|bcc|attn|reply-to|sent by|contact|ask|ping|assigned to|reported by|thanks to|owner)):? )"
    r"(?P<user>[A-Z][\w'-]+ [A-Z][\w'-]+(?:, [A-Z][\w'-]+ [A-Z][\w'-]+){0,9})"
)
_AT_WORD = TextRule(
    r"(?P<head>(?<![\w.]))(?P<user>[\w.+-]{2,64} ?[\[({]at[\])}] ?[\w-]+(?: ?(?:\.|[\[({]dot[\])}]) ?[\w-]+){0,4})"
)
_SSH_ALIAS = TextRule(
    r"(?m)(?P<head>(?:^|[$#%>] |&& |; )(?:ssh|mosh|"
    r"ssh-copy-id)(?: -\S+(?: \d+)?){0,4} )(?P<host>(?=[\w-]*[\d-])[A-Za-z][\w.-]+)(?=\s|$)"
)
_LISTED = TextRule(r"<host>(?::\d+)?(?:[,+](?:<host>|[a-z][a-z.-]*\d[\w.-]*)(?:[:*/]\d+){0,2})+")
MOST_DIGITS = 6
_LOWER_PARTS = frozenset({
    "node", "nodes", "gpu", "gpus", "host", "login", "compute", "worker", "runner", "master", "head", "server", "box",
    "rack", "dgx", "hgx", "cluster",
    "bastion", "gateway", "vm", "pod", "machine", "workstation", "ws", "srv", "hpc", "slurm", "k8s", "blade", "cn",
    "mgmt", "ml", "instance",
})  # fmt: skip
_MACHINE_LIKE = TextRule(
    r"(?P<head>(?<![\w./@=:$&\\-]))(?P<host>[a-z][a-z0-9]*(?:-[a-z0-9]+){2,6})(?![\w(=-]|\.\w|/\w)"
)
_ROWS = (
    _DEFAULT_LOGIN, _CONNECTION, _PROFILE, _IN_NAMESPACE, _STEP_DAEMON, _PODS, _NODES, _DESCRIBED, _HOST_PROMPT,
    _POWERSHELL, _SECURE, _BATCH_ACCOUNT, _BATCH_NODES, _PROCESS, _FULL_PROCESS, _TOP, _OPEN_FILE, _QUEUE, _BJOBS,
    _SACCT, _QSTAT, _SINFO, _PGPASS, _WHO, _LAST, _DIR_PROMPT, _GPUSTAT, _STAT, _TRAILER, _SSH_CONFIG, _SSH_USER,
    _PREFIX,
)  # fmt: skip

_SPOKEN_USER = TextRule(
    r"(?i)(?P<head>\b(?:(?:password|token|passphrase|quota|home|credentials?|keytab|session|limits?|for|as|"
    r"by|of) (?:for|of|as|by)? ?"
    r"(?:the )?(?:user|account)?|user|account|username|principal|uploader|owner|authenticated as|"
    r"authenticating as|hello|impersonating) "
    r"[\"'])(?P<user>[A-Za-z_][\w.@-]{1,63}(?: [A-Z][\w.-]+)?)(?=[\"'])"
)
_BARE_USER = TextRule(
    r"(?i)(?P<head>\b(?:user|account|principal) )(?P<user>[A-Za-z_][\w.-]{1,63})"
    r"(?= (?:not|is not|does not|has no|cannot|on host|from (?=[\d<])|has exceeded|exceeded|logged|"
    r"was denied|over|is over|by |\(?uid|"
    r"is currently|is denied|lacks|at <|@|has been))"
)
_PASSWORD_FOR = TextRule(
    r"(?i)(?P<head>\b(?:(?:password|passphrase) (?:for|of)(?: user| account)? |(?:for|"
    r"as) (?:invalid )?user |session (?:opened|closed) for user |"
    r"accepted (?:password|publickey|keyboard-interactive\S*) for |failed (?:password|"
    r"publickey) for (?:invalid user )?|"
    r"logged in as |authenticated as |signed in as |log ?in as |running as |switch(?:ed|ing)? to user |"
    r"currently logged in as:? |su(?:do)? -u |su - |run as user )"
    r"[\"'`]?)(?P<user>[A-Za-z_][\w.@-]{0,63})(?=[\"'`]?(?:[\s:;,.()!@]|$))"
)
_SPOKEN_HOST = TextRule(
    r"(?i)(?P<head>\b(?:host|node|server|machine|hostname|peer|broker|instance|container|pod|bucket|"
    r"cluster|domain|known hosts?|"
    r"permanently added|resolve|lookup|service) [\"'`])(?P<host>[A-Za-z0-9][\w.,:<>-]{1,120})(?=[\"'`])"
)
_ADDED = TextRule(r"(?P<head>\bPermanently added [\"'`])(?P<host>[^\"'`\n]{1,200})(?=[\"'`])")
_PHONE = TextRule(r"(?P<head>(?<![\w.+-]))(?P<id>\+[1-9]\d{0,2}(?:[ .-]\(?\d{1,4}\)?){3,6})(?![\w.])")
_GUID = TextRule(r"(?P<head>(?<![\w:]))(?P<id>(?=[\d:]{0,18}[a-f])(?:[0-9a-f]{4}:){3}[0-9a-f]{4})(?![\w:])")
_PHRASES = (
    _SPOKEN_USER, _BARE_USER, _PASSWORD_FOR, _ADDED, _SPOKEN_HOST, _PHONE, _GUID, _TODO, _ARN, _RESOURCE, _PROJECT,
    _ALIAS, _ECHO, _GPU_SERIAL, _ANGLE, _WHOAMI, _ASSIGNED, _INTERFACE, _ENTITY, _DONE_BY, _LOOKED_UP, _FAILED_FOR,
    _RANGE, _AT_PROXY, _PAREN_ON, _LOGIN_FOR, _ENTITY_SPOKEN, _NOT_FOUND, _FORGE, _PULL, _ADDRESSEES, _AT_WORD,
    _SSH_ALIAS, _SU, _EXEC_HOSTS,
)  # fmt: skip
_LABELS = {"user": USER, "host": HOST, "host2": HOST, "secret": SECRET, "id": IDENTITY}
_NOBODY = COMMON_NAMES | {
    "a", "an", "the", "this", "that", "it", "another", "none", "all", "any", "each", "name", "id", "code", "is",
    "not", "to",
    "in", "on", "of", "for", "and", "or", "with", "your", "my", "their", "other", "data", "defined", "input", "agent",
    "group",
    "space", "mode", "specified", "provided", "a100", "cpu", "cuda", "gpu", "rank", "account", "username", "password",
    "gloo",
    "peer", "remote",
    "torchrun", "pytest", "accelerate", "deepspeed", "torch", "lightning", "slurm", "cron", "systemd", "pip", "conda",
    "ci", "us", "me", "you",
    "default", "hand", "design", "signal", "user", "users", "process", "torchelastic", "nccl", "mpi", "server",
    "client", "scratch", "follows", "well", "expected", "part", "root", "mlflow", "git", "pypi",
    "does", "did", "should", "must", "can", "could", "would", "has", "had", "was", "were", "who", "cannot",
}  # fmt: skip


def hide_lines(text: str) -> str:
    """Replace people and machines in rows of ``ps``, ``squeue``, ``last`` and the like, in prompts and in phrases."""

    def put(found: re.Match[str]) -> str:
        left = found[0]
        spans = [(name, found.span(name)) for name, value in found.groupdict().items() if value and name in _LABELS]
        for name, (start, end) in sorted(spans, key=lambda item: -item[1][0]):
            value = found[name]
            if value.lower() in _NOBODY or value.startswith(("<", "(")) or value == "*":
                continue
            left = left[: start - found.start()] + _LABELS[name] + left[end - found.start() :]
        return left

    for rule in (*_ROWS, *_PHRASES):
        text = rule.sub(put, text)
    text = _MACHINE_LIKE.sub(_machine_like, text)
    text = _LOGIN_CALL.sub(lambda found: _ARGUMENT.sub(put, found[0]), text)
    return _DISTINGUISHED.sub(lambda found: _DN_PART.sub(put, found[0]), text)


def _machine_like(found: re.Match[str]) -> str:
    """Hide a name such as "lab-gpu-node-4": several words, one of them for a machine, and a number at the end."""
    parts = found["host"].split("-")
    numbered = any(c.isdigit() for c in parts[-1]) and not (len(parts[-1]) > MOST_DIGITS and parts[-1].isdigit())
    return HOST if numbered and _LOWER_PARTS & {part.rstrip("0123456789") for part in parts} else found[0]


def join_lists(text: str) -> str:
    """Hide the rest of a list whose first name was replaced: ``<host>,node-5:8``."""
    return _LISTED.sub(HOST, text)
