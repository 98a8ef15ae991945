"""Formats verdicts, statuses and evidence as a glyph and a word, so that colour alone never carries meaning."""

from typing import TYPE_CHECKING

from repro.model.named_ranks import in_words
from repro.model.specifiers import range_in_words

if TYPE_CHECKING:  # `repro list` needs neither: loading them costs more than all that it does
    from repro.model.failure import OtherSignature, Signature
    from repro.model.version_ranges import VersionRanges
    from repro.report.rows import Row
    from repro.report.site.overview import TileRow

VERDICT_GLYPHS = {
    "reproduced": "✗",
    "absent": "✓",
    "rejected": "⊘",
    "different": "≠",
    "unrunnable": "?",
    "flaky": "~",
}
STATUS_STYLES = {
    "as documented": "green",
    "relapsed": "bold red",
    "cured": "bold cyan",
    "drifted": "bold yellow",
    "unknown": "magenta",
    "unjudged": "dim",
}
LEGEND = "✗ reproduced · ✓ absent · ⊘ rejected · ≠ different · ? unrunnable · ~ flaky"


def format_verdict(row: "Row") -> str:
    """``✗ reproduced``, or ``· not run``."""
    if row.verdict is None:
        return "· not run"
    return f"{VERDICT_GLYPHS[row.verdict]} {row.verdict}"


def format_where(row: "Row | TileRow") -> str:
    """The environment, with the backport or the factors of this cell."""
    cell = row.cell
    parts = [cell.environment.label, *cell.roles_label]
    if cell.backport:
        parts.append(f"+ backport {cell.backport}")
    parts += [f"{name}={value}" for name, value in cell.factors.items()]
    if cell.nodes > 1:
        parts.append(f"on {cell.nodes} nodes")
    if cell.lane != "cpu":
        parts.append(f"[{cell.lane}]")
    if row.shared_cores:
        parts.append(f"({row.shared_cores})")
    return " ".join(parts)


def format_evidence(row: "Row") -> str:
    """The line of output that decided the verdict, with its place and rank."""
    if row.verdict is None:
        return row.not_run or ""
    if row.verdict == "absent":
        return row.evidence
    place = f" at {row.where}" if row.where else ""
    error = f"{row.evidence}{place}" if row.evidence or row.where else ""
    if row.verdict in {"reproduced", "rejected"}:
        return f"{error} ({row.reason})"
    return f"{row.reason}: {error}" if error else row.reason


def format_count(row: "Row") -> str:
    """``1 of 1``."""
    return f"{row.k} of {row.n}" if row.n else "—"


def format_versions(row: "Row") -> str:
    """``lightning 2.2.1 torch 2.2.2``."""
    return " ".join(f"{name} {version}" for name, version in row.versions.items())


def format_releases(releases: "VersionRanges") -> str:
    """``lightning >=2.1.0,<2.2.2 and torch >=2.5``."""
    return " and ".join(range_in_words(name, text) for name, text in releases.items())


def reference_address(name: str) -> str:
    """A Markdown link for ``owner/repository#number``; other text unchanged."""
    repository, _, number = name.partition("#")
    return f"[{name}](https://github.com/{repository}/issues/{number})" if number.isdecimal() else name


def format_condition(other: "OtherSignature") -> str:
    """``torch <2.8 and mode=a``: the condition under which the failure has another signature."""
    factors = " and ".join(f"{name}={value}" for name, value in other.factors.items())
    timing = "other timing" if other.by_timing else ""
    return " and ".join(part for part in (format_releases(other.releases or {}), factors, timing) if part)


def format_signature(signature: "Signature") -> str:
    """``KeyError /.../ in save_checkpoint of lightning, on all ranks``."""
    ranks = "on some rank" if signature.ranks == "any" else f"on {in_words(signature.ranks)}"
    if signature.kind == "hang":
        return f"hangs in {signature.function}, {ranks}"
    if signature.kind == "warning":
        where = "the script" if signature.library == "script" else signature.library
        return f"{signature.type} /{signature.message}/ reported in {where}, {ranks}"
    if signature.kind == "output":
        return f"prints /{signature.message}/, {ranks}"
    place = f" in {signature.function}" if signature.function else ""
    owner = f" of {signature.library}" if signature.library else ""
    others = f", the others in {signature.others}" if signature.others else ""
    return f"{signature.type} /{signature.message}/{place}{owner}, {ranks}{others}"
