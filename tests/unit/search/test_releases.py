"""Releases from index pages that are written here; no network."""

from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from pypi_simple import NoSuchProjectError, ProjectPage, PyPISimple

from repro.model.errors import EnvironmentFailure, UsageError
from repro.search import releases
from repro.search.index import fetch_files, index_address
from repro.search.releases import IndexFile, Release, Releases, chosen, listing
from repro.store.answers import Every, SkippedRelease


def file(version: str, **changes: Any) -> IndexFile:
    """A wheel for every Python, uploaded on the first of March."""
    facts: dict[str, Any] = {
        "filename": f"lib-{version}-py3-none-any.whl",
        "version": version,
        "kind": "wheel",
        "uploaded": datetime(2024, 3, 1, 12, tzinfo=UTC),
    }
    return IndexFile(**facts | changes)


def left_out(*files: IndexFile, python: str = "3.11") -> dict[str, str]:
    return {entry.version: entry.reason for entry in listing(files, python).left_out}


class TestListing:
    def test_sorts_by_version_not_by_text_or_upload(self) -> None:
        late = datetime(2025, 1, 1, tzinfo=UTC)
        found = listing([file("2.10.0"), file("2.9.0"), file("2.9.1", uploaded=late)], "3.11")
        assert [release.version for release in found.releases] == ["2.9.0", "2.9.1", "2.10.0"]

    def test_the_day_is_that_of_the_first_file_in_utc(self) -> None:
        first = datetime.fromisoformat("2024-03-02T03:00:00+09:00")
        later = datetime(2024, 3, 9, tzinfo=UTC)
        found = listing(
            [file("1.0", uploaded=later), file("1.0", filename="lib-1.0.tar.gz", kind="sdist", uploaded=first)], "3.11"
        )
        assert found.releases == (Release(version="1.0", day="2024-03-01"),)

    def test_yanked_releases_are_left_out_with_their_reason(self) -> None:
        assert left_out(file("1.0", yanked="broken\n build"), file("1.1", yanked="")) == {
            "1.0": "yanked: broken build",
            "1.1": "yanked: no reason given",
        }

    def test_a_release_with_one_file_left_is_not_yanked(self) -> None:
        files = [file("1.0", yanked="bad wheel"), file("1.0", filename="lib-1.0.tar.gz", kind="sdist")]
        assert [release.version for release in listing(files, "3.11").releases] == ["1.0"]

    def test_a_yanked_file_that_would_fit_is_no_help(self) -> None:
        source = file("1.0", filename="lib-1.0.tar.gz", kind="sdist", requires_python=">=3.13")
        assert left_out(file("1.0", yanked="bad wheel"), source) == {"1.0": "needs Python >=3.13"}

    @pytest.mark.parametrize("version", ["2.0.0rc1", "2.0.0.dev20240301", "2.0a1"])
    def test_pre_releases_are_left_out(self, version: str) -> None:
        assert left_out(file(version)) == {version: "pre-release"}

    def test_post_releases_are_not(self) -> None:
        assert left_out(file("2.0.0.post1")) == {}

    def test_another_python_is_said(self) -> None:
        assert left_out(file("1.0", requires_python=">=3.12")) == {"1.0": "needs Python >=3.12"}
        assert left_out(file("1.0", requires_python=">=3.12"), python="3.12") == {}

    def test_a_requirement_that_nobody_can_read_does_not_exclude(self) -> None:
        assert left_out(file("1.0", requires_python=">=3.6.*x")) == {}

    @pytest.mark.parametrize(
        ("name", "fits"),
        [
            ("lib-1.0-cp311-cp311-manylinux1_x86_64.manylinux2014_x86_64.whl", True),
            ("lib-1.0-cp37-abi3-manylinux2014_x86_64.whl", True),
            ("lib-1.0-cp310-cp310-manylinux2014_x86_64.whl", False),
            ("lib-1.0-cp311-cp311-win_amd64.whl", False),
            ("lib-1.0-cp311-cp311-manylinux2014_ppc64le.whl", False),
        ],
    )
    def test_wheels_that_cannot_be_installed_here(
        self, monkeypatch: pytest.MonkeyPatch, name: str, *, fits: bool
    ) -> None:
        releases._supported.cache_clear()
        monkeypatch.setattr("packaging.tags.platform_tags", lambda: iter(["manylinux2014_x86_64", "linux_x86_64"]))
        found = left_out(file("1.0", filename=name))
        releases._supported.cache_clear()
        assert found == ({} if fits else {"1.0": "has no wheel for Python 3.11 on this platform, and no source"})

    def test_a_source_is_enough(self) -> None:
        files = [
            file("1.0", filename="lib-1.0-cp27-none-any.whl"),
            file("1.0", filename="lib-1.0.tar.gz", kind="sdist"),
        ]
        assert len(listing(files, "3.11").releases) == 1

    def test_an_egg_is_not(self) -> None:
        assert "no source" in left_out(file("1.0", filename="lib-1.0-py2.7.egg", kind="other"))["1.0"]

    def test_a_refused_release_is_left_out_with_its_reason(self) -> None:
        found = listing([file("1.0"), file("1.1")], "3.11", lambda version: "denied: bad" if version == "1.1" else None)
        assert found.left_out == (SkippedRelease(version="1.1", reason="denied: bad"),)

    def test_without_an_upload_time_it_cannot_be_resolved_as_of_its_day(self) -> None:
        assert "does not state when" in left_out(file("1.0", uploaded=None))["1.0"]

    def test_what_is_no_version_is_said(self) -> None:
        assert left_out(file("2004d?")) == {"2004d?": "its version is not valid"}


class TestReleases:
    def releases(self, calls: list[str]) -> Releases:
        def fetch(name: str) -> list[IndexFile]:
            calls.append(name)
            return [file("1.0"), file("1.1", yanked="oops"), file("1.2")]

        return Releases("lib", "3.11", fetch=fetch)

    def test_is_fetched_when_first_looked_at_and_once(self) -> None:
        calls: list[str] = []
        releases = self.releases(calls)
        assert calls == []
        assert len(releases) == 2
        assert [release.version for release in releases] == ["1.0", "1.2"]
        assert releases[0:1][0] == releases[0]
        assert releases.left_out[0].version == "1.1"
        assert calls == ["lib"]

    def test_places_a_version_however_it_is_written(self) -> None:
        assert self.releases([]).place("1.2.0") == 1

    @pytest.mark.parametrize(
        ("version", "words"),
        [
            ("1.1", "lib 1.1 is left out: yanked: oops"),
            ("1.3", "no release lib 1.3; did you mean '1.2'?"),
            ("one", "'one' is no version"),
        ],
    )
    def test_says_why_a_version_is_not_there(self, version: str, words: str) -> None:
        with pytest.raises(UsageError) as caught:
            self.releases([]).place(version)
        assert str(caught.value) == words or str(caught.value).startswith(words[:20])
        assert version in str(caught.value)

    def test_a_range_needs_no_release_at_its_ends(self) -> None:
        releases = self.releases([])
        assert [release.version for release in releases.between("1.1", None)] == ["1.2"]
        assert [release.version for release in releases.between(None, "1.1.9")] == ["1.0"]
        with pytest.raises(UsageError, match="is no version: one such as"):
            releases.between("x", None)


class TestFetching:
    def answer(self, monkeypatch: pytest.MonkeyPatch, answer: ProjectPage | Exception) -> list[str]:
        asked: list[str] = []

        def get(client: PyPISimple, _name: str, **_: object) -> ProjectPage:
            asked.append(client.endpoint)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(PyPISimple, "get_project_page", get)
        return asked

    def test_reads_a_page_of_the_index(self, monkeypatch: pytest.MonkeyPatch) -> None:
        entry = {
            "filename": "lib-1.0-py3-none-any.whl",
            "url": "https://example.org/lib-1.0-py3-none-any.whl",
            "hashes": {},
            "requires-python": ">=3.9",
            "upload-time": "2024-03-01T12:00:00Z",
        }
        entries = [entry, entry | {"filename": "lib-1.1.tar.gz", "yanked": "oops"}, entry | {"filename": "lib-1.0.exe"}]
        page = ProjectPage.from_json_data({"name": "lib", "files": entries, "meta": {"api-version": "1.1"}})
        self.answer(monkeypatch, page)
        wheel, source, other = fetch_files("lib")
        assert (wheel.kind, wheel.version, wheel.requires_python, wheel.yanked) == ("wheel", "1.0", ">=3.9", None)
        assert wheel.uploaded == datetime(2024, 3, 1, 12, tzinfo=UTC)
        assert (source.kind, source.yanked) == ("sdist", "oops")
        assert other.kind == "other"

    @pytest.mark.parametrize(
        "error",
        [
            requests.ConnectionError("HTTPSConnectionPool(host='x'): Max retries\nexceeded"),
            requests.Timeout("slow"),
            requests.HTTPError("503 Server Error: https://user:secret@index.example/simple/"),
            ValueError("no JSON"),
        ],
    )
    def test_no_index_is_one_line_without_credentials(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        monkeypatch.setenv("REPRO_INDEX", "https://user:secret@index.example/simple/")
        self.answer(monkeypatch, error)
        with pytest.raises(EnvironmentFailure) as caught:
            fetch_files("lib")
        assert str(caught.value).startswith("https://index.example/simple/")
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_an_unknown_distribution_is_the_users_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer(monkeypatch, NoSuchProjectError("lib", "https://pypi.org/simple/lib/"))
        with pytest.raises(UsageError, match="has no distribution 'lib'"):
            fetch_files("lib")

    def test_asks_the_index_that_environments_are_built_from(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("UV_DEFAULT_INDEX", "https://foreign.example/")
        monkeypatch.setenv("PIP_INDEX_URL", "https://foreign.example/")
        monkeypatch.setenv("REPRO_INDEX", " ")
        assert index_address() == "https://pypi.org/simple/"
        monkeypatch.setenv("REPRO_INDEX", "https://one.example/")
        asked = self.answer(monkeypatch, ProjectPage("lib", [], None, None))
        assert fetch_files("lib") == []
        assert asked[0].startswith("https://one.example")


SERIES = [Release(version=text, day="2024-01-01") for text in ("4.9.1", "4.10.0", "4.10.2", "5.0", "5.0.1")]


def test_minor_takes_the_last_of_every_series() -> None:
    assert [release.version for release in chosen(SERIES, Every.MINOR)] == ["4.9.1", "4.10.2", "5.0.1"]


def test_all_takes_all() -> None:
    assert chosen(SERIES, Every.ALL) == SERIES
