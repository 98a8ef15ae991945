"""One failure in words, as ``repro show`` prints it."""

from repro.model.affected import roles_in_words
from repro.model.failure import Failure
from repro.report.format import format_condition, format_releases, format_signature


def failure_lines(failure: Failure) -> list[str]:
    """The lines: symptom, affected versions, cures, factors and claims."""
    lines = [f"{failure.id}: {failure.title}", "", failure.summary.strip(), ""]
    if failure.depends_on_roles:
        lines.append(f"affected   together: {roles_in_words(failure)}")
    else:
        lines += [f"affected   {format_releases(releases)}" for releases in failure.affected]
    lines += [f"stage      {stage.name} ({stage.role}): {stage.meaning}" for stage in failure.stages]
    lines += [f"untried    {untried.words}" for untried in failure.never_tried]
    lines += [f"rejected   {format_releases(rejection.releases)}" for rejection in failure.rejected]
    lines += [f"fixed in   {name} {version}" for name, version in failure.fixed_in.items()]
    lines += [f"upstream   {failure.upstream.state}: {', '.join(failure.upstream.issues) or 'no issue'}"]
    if failure.upstream.fixes:
        lines += [f"fixed by   {', '.join(failure.upstream.fixes)}"]
    lines += [f"signature  {format_signature(failure.signature)}"]
    lines += [f"rate       {failure.rate.describe()}"] if failure.rate else []
    lines += [f"grows      {failure.growth.describe()}"] if failure.growth else []
    for item in failure.signatures:
        lines += [
            f"with       {format_condition(item)}: {format_signature(item.signature)}",
            f"           {item.why.strip()}",
        ]
    for lane, other in failure.differs_in.items():
        lines += [f"in {lane:<8}{format_signature(other.signature)}"] if other.signature else []
        lines += [f"in {lane:<8}{other.why.strip()}"]
    for cure in failure.cures:
        if cure.releases:
            lines.append(f"cure       {cure.releases}")
        elif cure.backport:
            backport = failure.backport(cure.backport)
            lines.append(f"cure       backport {cure.backport}: {backport.meaning if backport else ''}")
        else:
            lines.append(f"cure       {cure.setting}")
    if failure.factors:
        lines += ["", "factors (the first value is the default, with which it fails)"]
        lines += [f"  {f.name}={'|'.join(f.values)}  {f.meaning}" for f in failure.factors]
    if failure.claims:
        lines += ["", "claims"]
        lines += [f"  {claim.verdict:<11} {claim.id}: {claim.statement}" for claim in failure.claims]
    return lines
