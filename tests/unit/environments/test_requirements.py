"""What the distributions of an environment require."""

from pathlib import Path

from repro.environments.requirements import stated_requirements


def distribution(folder: Path, name: str, *lines: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    text = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *lines])
    (info / "METADATA").write_text(f"{text}\n", encoding="utf-8")


def test_each_distribution_with_what_it_requires(tmp_path: Path) -> None:
    distribution(tmp_path, "My_Lib", "Requires-Dist: hub>=1", "Requires-Dist: extra-lib; extra == 'all'")
    distribution(tmp_path, "hub")
    assert stated_requirements([str(tmp_path)]) == {
        "my-lib": ("hub>=1", "extra-lib; extra == 'all'"),
        "hub": (),
    }


def test_the_first_folder_counts(tmp_path: Path) -> None:
    distribution(tmp_path / "over", "lib", "Requires-Dist: hub>=2")
    distribution(tmp_path / "under", "lib", "Requires-Dist: hub>=1")
    assert stated_requirements([str(tmp_path / "over"), str(tmp_path / "under")]) == {"lib": ("hub>=2",)}


def test_what_cannot_be_read_states_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken-1.0.dist-info").mkdir()
    distribution(tmp_path, "lib")
    (tmp_path / "binary-1.0.dist-info").mkdir()
    (tmp_path / "binary-1.0.dist-info" / "METADATA").write_bytes(b"\xff\xfe\x00Name")
    assert stated_requirements([str(tmp_path)]) == {"lib": ()}
