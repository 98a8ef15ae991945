"""What is known of the rules is what would be computed, and another release of detect-secrets is never taken for it."""

import subprocess
import sys
from importlib import metadata

import pytest

from repro.report import known_rules, secret_rules
from repro.report.known_rules import known_needs, known_patterns
from repro.report.secret_rules import their_patterns
from repro.report.text_rule import TextRule, needed_texts
from tests.unit.report.test_text_rule import RULES


def test_needs_are_those_of_today() -> None:
    """`nox -s docs` writes them anew."""
    assert len(RULES) > 190
    for name, rule in RULES.values():
        assert known_needs(rule.source) == needed_texts(*rule.source), name


def test_patterns_are_those_of_the_installed_release() -> None:
    assert known_patterns() == list(their_patterns())


def test_another_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own patterns are read: a rule that it added finds what it is made for."""
    monkeypatch.setattr(metadata, "version", lambda name: "99.0" if name == known_rules.DISTRIBUTION else "0")
    assert known_patterns() is None
    monkeypatch.setattr(secret_rules, "their_patterns", lambda: iter([(r"new-[0-9]{8}", 0)]))
    rules = secret_rules.secret_rules.__wrapped__()
    assert any(rule.search("a new-12345678 b") for rule in rules)


def test_a_rule_that_is_not_known_is_computed() -> None:
    """So is one with other flags."""
    source = r"a rule that nobody wrote [0-9]{3}"
    assert known_needs((source, 0)) is None
    assert TextRule(source).needs == needed_texts(source)
    known = next(rule.source for _, rule in RULES.values())
    assert known_needs((known[0], known[1] ^ 2)) is None


def test_nothing_slow_is_imported() -> None:
    """A short command redacts a few lines."""
    code = (
        "import sys; from repro.report.redaction import Redactor;"
        "print(Redactor()('ghp_0123456789abcdefghijABCDEFGHIJ456789'));"
        "print(sorted({'detect_secrets', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["<secret>", "[]"]
