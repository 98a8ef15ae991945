"""Rules that find secrets by their form: those of detect-secrets, and our own for logs of training."""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module

from repro.report.known_rules import Pattern, known_patterns
from repro.report.text_rule import TextRule

_PLUGINS = {
    "artifactory": "ArtifactoryDetector", "aws": "AWSKeyDetector", "azure_storage_key": "AzureStorageKeyDetector",
    "cloudant": "CloudantDetector", "discord": "DiscordBotTokenDetector", "github_token": "GitHubTokenDetector",
    "gitlab_token": "GitLabTokenDetector", "jwt": "JwtTokenDetector", "mailchimp": "MailchimpDetector",
    "npm": "NpmDetector", "openai": "OpenAIDetector", "pypi_token": "PypiTokenDetector",
    "sendgrid": "SendGridDetector", "slack": "SlackDetector", "softlayer": "SoftlayerDetector",
    "square_oauth": "SquareOAuthDetector", "stripe": "StripeDetector", "telegram_token": "TelegramBotTokenDetector",
    "twilio": "TwilioKeyDetector",
}  # fmt: skip
"""Plugins that match a definite form.  Plugins that guess by entropy or keywords would remove too much of a log."""

_OWN = TextRule(
    r"""
      (?<![A-Za-z0-9]) (?: gh[pousr]_[A-Za-z0-9]{16,} | github_pat_[A-Za-z0-9_]{16,}
    | gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-[\w-]{16,} | hf_[A-Za-z0-9]{10,} | api_org_[A-Za-z0-9]{16,}
    | (?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,} | (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,} | AIza[\w-]{30,} | ya29\.[\w-]{16,}
    | xox[abeoprs]-[\w-]{8,} | xapp-[\w-]{16,} | pypi-[\w-]{16,} | npm_[A-Za-z0-9]{20,} | do[opr]_v1_[0-9a-f]{20,}
    | dapi[0-9a-f]{32} | wandb_v1_\w{16,} | r8_[A-Za-z0-9]{20,} | gsk_[A-Za-z0-9]{20,} | xai-[A-Za-z0-9]{20,}
    | nvapi-[\w-]{16,} | tvly-[\w-]{16,} | pplx-[A-Za-z0-9]{20,} | hv[sb]\.[\w-]{16,} | dckr_pat_[\w-]{16,}
    | shp(?:at|ca|pa|ss)_[0-9a-fA-F]{16,} | lin_api_\w{16,} | figd_[\w-]{16,} | PMAK-[0-9a-f-]{20,}
    | rubygems_[0-9a-f]{20,} | sntry[su]_[\w.=-]{16,} | glsa_\w{16,} | AGE-SECRET-KEY-1[A-Z0-9]{20,}
    | SG\.[\w-]{10,}\.[\w-]{10,} | key-[0-9a-f]{32} | EAA[A-Za-z0-9]{20,} | ntn_[A-Za-z0-9]{20,}
    | secret_[A-Za-z0-9]{30,} | CFPAT-[\w-]{20,} | phc_[A-Za-z0-9]{20,} | eyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)?
    | AC[a-f0-9]{32}(?![a-z0-9]) | SK[a-f0-9]{32}(?![a-z0-9]) )
    | -----BEGIN[ A-Z0-9]*PRIVATE\ KEY(?:\ BLOCK)?-----(?:.|\n)*?(?:-----END[ A-Z0-9]*PRIVATE\ KEY(?:\ BLOCK)?-----|\Z)
    | ssh-(?:rsa|ed25519|dss)\ AAAA[A-Za-z0-9+/=]{20,}(?:\ [\w.-]+@[\w.-]+)?
    | \|1\|[A-Za-z0-9+/]{20,40}=\|[A-Za-z0-9+/]{20,40}=
    | (?<=/api/webhooks/)\d{6,}/[\w-]{20,}
    """,
    re.VERBOSE,
)


@cache
def secret_rules() -> tuple[TextRule, ...]:
    """All rules; detect-secrets is imported only if the patterns of its release are not known."""
    known = known_patterns()
    return (_OWN, *(TextRule(*pattern) for pattern in (their_patterns() if known is None else known)))


def their_patterns() -> Iterator[Pattern]:
    """The patterns of detect-secrets, and their flags."""
    for module, name in _PLUGINS.items():
        denied: list[re.Pattern[str]] = getattr(import_module(f"detect_secrets.plugins.{module}"), name).denylist
        yield from ((pattern.pattern, pattern.flags) for pattern in denied)
