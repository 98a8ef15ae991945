from repro.search.releases import Release
from repro.search.timeline import Every, chosen

RELEASES = [Release(version=text, day="2024-01-01") for text in ("4.9.1", "4.10.0", "4.10.2", "5.0", "5.0.1")]


def test_minor_takes_the_last_of_every_series() -> None:
    assert [release.version for release in chosen(RELEASES, Every.MINOR)] == ["4.9.1", "4.10.2", "5.0.1"]


def test_all_takes_all() -> None:
    assert chosen(RELEASES, Every.ALL) == RELEASES
