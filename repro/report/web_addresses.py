"""Hides machines, people and projects in web addresses.

A host that is not public is replaced together with its path, since both are private.  On a public host with projects
of many owners, the owner is replaced unless it is a well-known publisher of the libraries.
"""

import re
from collections.abc import Callable

from repro.report.labels import FOLDER, HOST, SECRET, USER
from repro.report.text_rule import TextRule

PUBLIC_HOSTS = (
    "github.com", "githubusercontent.com", "github.io", "pytorch.org", "python.org", "pypi.org", "pythonhosted.org",
    "huggingface.co", "hf.co", "lightning.ai", "readthedocs.io", "readthedocs.org", "nvidia.com", "numpy.org",
    "pydantic.dev", "pypa.io", "apache.org", "wikipedia.org", "arxiv.org", "scipy.org", "anaconda.org", "anaconda.com",
    "deepspeed.ai", "ray.io", "stackoverflow.com", "gnu.org", "kernel.org", "docker.com", "docker.io", "ubuntu.com",
    "debian.org", "openai.com", "wandb.ai", "wandb.me", "mlflow.org", "tensorflow.org", "json-schema.org", "w3.org",
    "cmake.org", "conda.io", "astral.sh", "schemastore.org", "nvcr.io", "ghcr.io", "pkg.dev", "ietf.org",
    "microsoft.com",
    "aka.ms", "intel.com", "amd.com", "scikit-learn.org", "pandas.pydata.org", "matplotlib.org", "pytest.org",
    "localhost", "127.0.0.1",
)  # fmt: skip
_FORGES = (
    "github.com", "githubusercontent.com", "huggingface.co", "hf.co", "gitlab.com", "bitbucket.org", "wandb.ai",
    "ghcr.io",
    "codeberg.org", "lightning.ai", "anaconda.org",
)  # fmt: skip
"""Public hosts whose paths begin with an owner."""
KNOWN_OWNERS = frozenset({
    # forges and model hubs
    "pytorch", "huggingface", "lightning-ai", "pytorchlightning", "nvidia", "nvidia-nemo", "microsoft", "google",
    "google-bert", "google-t5", "google-research", "facebookresearch", "facebook", "facebookincubator", "meta-llama",
    "meta-pytorch", "pytorch-labs", "openai", "openai-community", "mistralai", "qwen", "eleutherai", "bigscience",
    "tiiuae",
    "stabilityai", "deepseek-ai", "deepspeedai", "mosaicml", "databricks", "databrickslabs", "numpy", "scipy", "python",
    "pypa", "psf", "urllib3", "pallets", "dask", "ray-project", "vllm-project", "dao-ailab", "hazyresearch", "wandb",
    "mlflow", "comet-ml", "apache", "grpc", "conda", "conda-forge", "astral-sh", "actions", "docker", "kubernetes",
    "triton-lang", "openxla", "tensorflow", "keras-team", "jax-ml", "rapidsai", "intel", "amd", "rocm", "aws",
    "awslabs",
    "azure", "googlecloudplatform", "hf-internal-testing", "distilbert", "sentence-transformers", "timm", "sshleifer",
    "roberta-base", "albert", "xlm-roberta", "bert-base-uncased", "gpt2", "t5-small", "microsoft-research", "pydantic",
    "tiangolo", "encode", "aio-libs", "tqdm", "pytest-dev", "python-poetry", "pdm-project", "prefix-dev", "sympy",
    "networkx", "jinja", "protocolbuffers", "pre-commit", "bitsandbytes-foundation", "timdettmers", "axolotl-ai-cloud",
    "unslothai", "hiyouga", "tatsu-lab", "lm-sys", "allenai", "stanford-crfm", "state-spaces", "salesforce", "ibm",
    "01-ai", "thudm", "zai-org", "internlm", "tencent", "alibaba", "baidu", "moonshotai", "nousresearch", "teknium",
    "togethercomputer", "cohereforai", "ai21labs", "snowflake", "rwkv", "blinkdl", "karpathy", "rusty1s", "pyg-team",
    # parts of sites that are no owners
    "docs", "blog", "models", "datasets", "spaces", "settings", "join", "login", "authorize", "site", "api", "papers",
    "tasks", "learn", "course", "pricing", "features", "topics", "trending", "orgs", "apps", "marketplace", "about",
    "security", "advisories", "new", "search", "collections", "chat", "inference-api", "pages", "en", "kernels",
})  # fmt: skip
_URL = TextRule(
    r"(?i)\b(?P<scheme>[a-z][a-z0-9+.-]{1,15}://)(?P<login>(?:[^\s/@'\"<>]|<[a-z]+>){0,500}@)?"
    r"(?P<host>[\w.-]+|\[[0-9a-f:.%]+\]|<host>|<address>)(?P<port>:\d+)?(?P<rest>[^\s'\"<>)\]}|\\]*)"
)
TOP_LEVEL = (
    "test|example|invalid|localhost|internal|intranet|lan|corp|local|localdomain|private|lab|cloud|dev|"
    "app|tech|science|systems|network|"
    "services|site|online|xyz|info|biz|edu|com|org|net|gov|mil|int|io|ai|eu|de|fr|uk|ch|nl|se|fi|dk|jp|cn|"
    "kr|tw|sg|au|nz|ca|us|br|mx|es|pt|cz|il|tr|"
    "gr|hu|ro|ru|ua|za|hk|ie|lu|sk|lt|lv|ee"
)
"""Top-level domains, without those that are also common words in code."""
_BARE = TextRule(
    rf"(?<![\w/@.:~-])(?P<host>(?:[a-z0-9][a-z0-9-]{{0,62}}\.){{1,6}}(?:{TOP_LEVEL}))"
    rf"(?P<port>:\d{{2,5}})?(?P<rest>/[A-Za-z0-9_<][^\s'\"|)\]}},;]*)"
)
_ON_HOST = TextRule(r"(<host>:|<address>:)/(?!/)[^\s'\",;]+")
_REMOTE = TextRule(r"(?P<head>\bgit@(?P<host>[\w.-]+):)(?P<owner>[\w.-]+)/(?P<name>[\w.-]+?)(?=\.git\b|[\s'\")]|$)")
_LOCAL_SCHEMES = ("file", "env", "hf", "rank", "pkg", "git+file")
_STORES = (
    "s3", "s3a", "s3n", "gs", "gcs", "az", "abfs", "abfss", "wasb", "wasbs", "hdfs", "r2", "oci", "oss", "cos", "obs",
    "dbfs", "adl", "minio", "b2", "swift", "gdrive", "rclone",
)  # fmt: skip
"""Schemes of object stores, where the "host" is a bucket."""
_QUERY_VALUE = TextRule(r"(?P<head>[?&;][\w.%-]{1,60}=)(?P<value>[A-Za-z0-9%+/_.~-]{16,4000}={0,2})")

_NEUTRAL = frozenset({"simple", "api", "v1", "v2", "metrics", "health", "healthz", "login", "index.html", "graphql"})
"""Paths that identify nobody."""
_DRAWN = re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[A-Za-z0-9_-]{32,200}")
_COLLECTIONS = frozenset({
    "api", "models", "datasets", "spaces", "repos", "orgs", "users", "v2", "raw", "t", SECRET,
})  # fmt: skip
"""Parts of a path that may stand before the owner."""
_HASHED = frozenset({
    "blob", "tree", "commit", "commits", "resolve", "raw", "packages", "whl", "archive", "snapshots", "compare",
    "releases",
})  # fmt: skip
"""After one of these parts of a path, a long random part is a digest."""


def hide_web_addresses(text: str, is_public: Callable[[str], bool]) -> str:
    """Replace private hosts together with their paths, and private owners on public hosts."""

    def put(found: re.Match[str]) -> str:
        scheme, host, rest = found["scheme"].lower(), found["host"], found["rest"]
        name = scheme.removesuffix("://")
        if name in _LOCAL_SCHEMES:
            return found[0]
        port = found["port"] or ""
        if name in _STORES:
            last = rest.rstrip("/").rpartition("/")[2]
            inner = f"/{FOLDER}/{last}" if rest.count("/") > 1 and last else rest
            return f"{found['scheme']}{HOST}{port}{inner}"
        if host in {"<host>", "<address>"}:
            host = HOST
        if host != HOST and is_public(host):
            return f"{found['scheme']}{host}{port}{_owned(host, _QUERY_VALUE.sub(_query, rest))}"
        end = rest[len(rest.rstrip(".,;:")) :]
        query = f"?{SECRET}" if "?" in rest else ""
        return f"{found['scheme']}{HOST}{port}{_hidden_path(rest, end)}{query}{end}"

    def put_bare(found: re.Match[str]) -> str:
        host, rest = found["host"], found["rest"]
        port = found["port"] or ""
        return f"{host}{port}{_owned(host, rest)}" if is_public(host) else f"{HOST}{port}/{FOLDER}"

    text = _BARE.sub(put_bare, _URL.sub(put, text))
    return _REMOTE.sub(_remote, text)


def _hidden_path(rest: str, end: str) -> str:
    """The replacement for the path of a hidden host; ``end`` is the punctuation after the address."""
    path = rest.partition("?")[0]
    words = path.strip("/").rstrip(".,;:")
    if words:
        return path if words in _NEUTRAL else f"/{FOLDER}"
    return rest.removesuffix(end).partition("?")[0]


def hide_remote_folders(text: str) -> str:
    """Replace paths on a machine that was replaced: ``<host>:/export/home``."""
    return _ON_HOST.sub(rf"\g<1>{FOLDER}", text)


def _query(found: re.Match[str]) -> str:
    value = found["value"]
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return f"{found['head']}{SECRET}" if mixed else found[0]


def _owned(host: str, rest: str) -> str:
    """The path on a public host, with a private owner replaced."""
    name = host.lower()
    if (
        name.startswith(("docs.", "api.", "blog.", "developer."))
        or not any(name == forge or name.endswith(f".{forge}") for forge in _FORGES)
        or not rest.startswith("/")
    ):
        return rest
    parts = rest.split("/")
    if _HASHED.isdisjoint(parts):
        parts = [SECRET if _DRAWN.fullmatch(part) else part for part in parts]
        rest = "/".join(parts)
    at = 1
    while at < len(parts) - 1 and parts[at].lower() in _COLLECTIONS:
        at += 1
    owner = parts[at].partition("?")[0].partition("#")[0]
    if not owner or owner.lower() in KNOWN_OWNERS or owner == USER or not re.match(r"[A-Za-z]", owner):
        return rest
    if len(parts) <= at + 1 or parts[at + 1] in {"", "resolve", "blob", "tree", "raw"}:
        return rest  # a single part is a page of the site, or an old model without an owner
    kept = parts[at + 2 :]
    if kept and kept[0] in {"issues", "pull", "discussions"}:
        return rest  # a public thread
    return "/".join([*parts[:at], USER, FOLDER, *kept])


def _remote(found: re.Match[str]) -> str:
    if found["owner"].lower() in KNOWN_OWNERS:
        return found[0]
    return f"{found['head']}{USER}/{FOLDER}"
