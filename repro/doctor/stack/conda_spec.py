"""Translates conda's names and specifiers to those of PyPI and PEP 440.  Pure."""

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from repro.doctor.stack.statements import Authority, Statement

CONDA_NAMES = {"pytorch": "torch", "pytorch-gpu": "torch", "pytorch-cpu": "torch"}
"""conda's names that differ from PyPI's."""
SYSTEM = re.compile(
    r"_|lib|cuda|ld[-_]impl|pytorch-(cuda|mutex)|(python(-abi)?|pip|bzip2|openssl|ncurses|readline|sqlite|tk|xz|zlib|tzdata"
    r"|ca-certificates|mkl|blas|intel-openmp|nccl|cudnn|gcc|gxx)$"
)
"""conda packages that are not Python distributions."""
HIDDEN_BY_PIP = "is named without its version, as pip does for conda's packages"
_ITEM = re.compile(r"(?:[^\s:\[]+::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?P<rest>.*)")
_BRACKET = re.compile(r"\[(?P<keys>.*)\]")
_VERSION_KEY = re.compile(r"version\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|([^,\]]+))")
_BUILD = re.compile(r"(?<=[^=<>!~,|\s])=(?!=)")
_CLAUSE = re.compile(r"(?P<operator>===?|!=|~=|<=|>=|<|>|=)?(?P<version>[0-9][\w.+!-]*?)(?P<star>\.?\*)?")


def parse_item(item: str, *, exact: bool = False, where: str = "") -> Statement | None:
    """The statement of ``channel::pytorch=2.2.1=build``; None if the text is not an item.

    ``=2.2`` means any 2.2.x, unless ``exact``: a full export without builds writes exact versions in this form.
    """
    match = _ITEM.fullmatch(item.strip())
    if match is None:
        return None
    ranges = specifiers_of_conda(match["rest"], exact=exact)
    name = CONDA_NAMES.get(canonicalize_name(match["name"]), canonicalize_name(match["name"]))
    if ranges is None:
        return Statement(
            name, rank=Authority.CONDA, where=where, why=f"is not pinned ({' '.join(match['rest'].split())[:60]})"
        )
    if len(ranges) > 1:
        return Statement(name, any_of=ranges, rank=Authority.CONDA, where=where)
    return Statement(name, ranges[0], rank=Authority.CONDA, where=where)


def is_system(name: str) -> bool:
    """True if a conda package is not a Python distribution: a library, a compiler, Python itself."""
    return bool(SYSTEM.match(name.lower()))


def specifiers_of_conda(rest: str, *, exact: bool = False) -> tuple[str, ...] | None:
    """Alternative PEP 440 specifier sets for the text after a name; None if it has no equivalent."""
    text = rest.strip()
    bracket = _BRACKET.fullmatch(text)
    if bracket:
        key = _VERSION_KEY.search(bracket["keys"])
        text = next((part for part in key.groups() if part is not None), "") if key else ""
    text = re.sub(r"([<>=!~,|])\s+", r"\1", re.sub(r"\s+([,|])", r"\1", text.strip()))
    version, _, build = text.partition(" ")
    exact = exact or bool(build.strip())
    cut = _BUILD.search(version)
    if cut:
        exact = exact or cut.end() < len(version)
        version = version[: cut.start()]
    if version in {"", "*", "=*", "==*"}:
        return ("",)
    parts = version.split("|")
    found = [_clauses(part, exact=exact and len(parts) == 1, fuzzy=len(parts) > 1) for part in parts]
    texts = tuple(text for text in found if text is not None)
    return texts if len(texts) == len(found) else None


def _clauses(text: str, *, exact: bool, fuzzy: bool) -> str | None:
    clauses = []
    for part in text.split(","):
        match = _CLAUSE.fullmatch(part)
        if match is None:
            return None
        operator, version, star = match["operator"] or "", match["version"], match["star"]
        if star == "*":
            return None  # 4.4* matches both 4.4 and 4.49
        if operator in {"<", ">", "<=", ">=", "~="}:
            clauses.append(f"{operator}{version}")
        elif operator == "!=":
            clauses.append(f"!={version}{star or ''}")
        elif star or (operator == "=" and not exact) or (operator == "" and fuzzy):
            clauses.append(f"=={version}.*")
        else:
            clauses.append(f"=={version}")
    try:
        return str(SpecifierSet(",".join(clauses)))
    except InvalidSpecifier:
        return None
