"""Drafts: each form's fields, the tracker's limits, redaction, and the notes for the person."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.catalog.project import Project
from repro.launch.describe import Described
from repro.launch.gates import GATES
from repro.model.cell import make_cell
from repro.model.errors import UndecidedError, UsageError
from repro.model.failure import Lane
from repro.model.observation import Installed, Rank
from repro.report.draft.case import Case, describe_missing, find
from repro.report.draft.compose import LEVELS, fenced, prose
from repro.report.draft.forms import FORMS, FieldContent, Tracker
from repro.report.draft.write import ADDRESS_CHARACTERS, BODY_CHARACTERS, Draft, compose, length, write
from repro.report.private import redacted
from repro.report.redaction import Redactor
from tests.unit.factories import (
    FAILURE,
    IMPORTED,
    SCRIPT,
    cell,
    failed,
    frame,
    installed,
    lost_peer,
    project,
    raised,
    rank,
    script_frame,
    write_failure,
)
from tests.unit.report.test_write import stored

REDACT = Redactor(frozenset({"alice"}), frozenset({"gpu-box7"}))
SECRETS = (
    "/home/alice",
    "alice",
    "gpu-box7",
    "10.1.2.3",
    "hf_abcdefghijklmnopqrst",
    "bob@example.org",
    "hunter2hunter2",
)
LEAKY = (
    "alice on gpu-box7 (10.1.2.3) wrote /home/alice/run/x.pt with hf_abcdefghijklmnopqrst;"
    " password=hunter2hunter2 mail bob@example.org"
)


@pytest.fixture
def held(tmp_path: Path) -> Project:
    return project(tmp_path)


def case_of(held: Project, described: Described | None = None, script: str = SCRIPT) -> Case:
    found = find(held, FAILURE, None, Lane.CPU, REDACT)
    return Case(
        entry=held.catalog[FAILURE],
        script=script,
        view=found.view,
        result=found.result,
        environment=held.environments.environment(found.result.cell.environment.label),
        described=described or Described("accelerate env", "- Platform: Linux"),
        missing=describe_missing(found),
    )


def drafted(held: Project, tracker: Tracker = Tracker.PYTORCH, **changes: Any) -> Draft:
    if not (held.reports / "data").exists():
        stored(held, cell(), failed(0, gates=(GATES[0].name,)), failed(1, at=6.0))
        ranks = [rank(number, imported=item.imported) for number, item in enumerate(broken("2.2.2"))]
        stored(held, cell(environment="new"), *ranks, installed=holding("2.2.2"))
    return compose(case_of(held, **changes), FORMS[tracker], REDACT)


def broken(version: str) -> list[Rank]:
    """Two ranks that show the failure with a release of lightning."""
    imported = IMPORTED | {"lightning": IMPORTED["lightning"].model_copy(update={"version": version})}
    return [failed(number, imported=imported) for number in (0, 1)]


def holding(version: str) -> Installed:
    return installed(distributions={"lightning": version, "torch": "2.2.2+cpu"})


def texts(draft: Draft) -> dict[str, str]:
    return {filled.field.name: filled.text for filled in draft.fields}


class TestForms:
    """The forms are what upstream asks for."""

    def test_all(self) -> None:
        """One a project; required fields are filled by us or chosen from runs, never left."""
        assert set(FORMS) == set(Tracker)
        for form in FORMS.values():
            assert all(field.part is not FieldContent.LEFT for field in form.fields if field.required)
            assert len({field.name for field in form.fields}) == len(form.fields)

    def test_ids(self) -> None:
        """Only the Hugging Face forms have ids, and both the same."""
        ids = {
            tracker: [field.name for field in form.fields if field.has_id and field.part is not FieldContent.LEFT]
            for tracker, form in FORMS.items()
        }
        assert (
            ids[Tracker.ACCELERATE] == ids[Tracker.TRANSFORMERS] == ["system-info", "reproduction", "expected-behavior"]
        )
        assert ids[Tracker.LIGHTNING] == ids[Tracker.PYTORCH] == []


class TestFields:
    """What stands in each field."""

    @pytest.mark.parametrize("tracker", list(Tracker))
    def test_required(self, held: Project, tracker: Tracker) -> None:
        """Every required field has a text; the whole body has every heading in its order."""
        draft = drafted(held, tracker)
        assert all(filled.text for filled in draft.fields if filled.field.required)
        headings = re.findall(r"^### (.*)$", draft.body, re.MULTILINE)
        assert headings == [field.label for field in FORMS[tracker].fields]

    def test_lightning(self, held: Project) -> None:
        """The script without a fence, since the form puts one; versions are those of runs that show it."""
        found = texts(drafted(held, Tracker.LIGHTNING))
        assert found["reproduce"] == SCRIPT.rstrip()
        assert found["versions"] == "v2.2"
        assert found["studio"] == ""
        assert "Traceback (most recent call last):" in found["bug-description"]
        assert "rank 0: exit code 1\nrank 1: exit code 1" in found["logs"]
        assert found["more-info"].startswith("<details>")
        assert found["more-info"].endswith("</details>")

    def test_lightning_without_an_option(self, held: Project) -> None:
        """A release that the form has no option for is said, not rounded."""
        record = held.failures / FAILURE / "failure.yaml"
        record.write_text(record.read_text().replace(">=2.1.0,<2.2.2", ">=2.0.0,<2.2.2"))
        stored(held, cell(), *broken("2.0.9"), installed=holding("2.0.9"))
        draft = drafted(held, Tracker.LIGHTNING)
        assert texts(draft)["versions"] == ""
        assert "The form has no option for 2.0.9." in draft.notes

    def test_hugging_face(self, held: Project) -> None:
        """System info bare, both boxes ticked at our own script and task, nobody is named to help."""
        found = texts(drafted(held, Tracker.TRANSFORMERS))
        assert found["system-info"] == "- Platform: Linux"
        assert found["who-can-help"] == ""
        assert found["information-scripts-examples"].endswith("- [x] My own modified scripts")
        assert "[x] My own task" in found["information-tasks"]
        assert fenced(SCRIPT, "python") in found["reproduction"]
        assert (
            "On lightning 2.2.2 torch 2.2.2+cpu it ends well: `all 12 tensors are equal`." in found["expected-behavior"]
        )

    def test_pytorch(self, held: Project) -> None:
        """One field with all: script, expected, observed, and the machine-made block, labelled, at its end."""
        text = texts(drafted(held))["describe-the-bug"]
        assert fenced(SCRIPT, "python") in text
        order = ["```python", "**Expected**", "**Observed**", "<details>", "machine-made"]
        assert sorted(order, key=text.index) == order
        assert text.endswith("</details>")

    def test_evidence(self, held: Project) -> None:
        """First root error, all ranks' ends, k of n, gates with reasons, other environments, what was not run."""
        record = held.failures / FAILURE / "failure.yaml"
        record.write_text(record.read_text().replace("ranks: all", "ranks: 0"))
        stored(held, cell(), failed(0, gates=(GATES[0].name,)), failed(1, lost_peer(), at=6.0))
        stored(held, cell(environment="new"), rank(0), rank(1))
        text = texts(drafted(held))["describe-the-bug"]
        assert "1 of 1 run ended `reproduced`" in text
        assert "First root error: rank 0." in text
        assert "| 0 (root) | exit code 1 | `KeyError: 'optimizer_states'` | 5.0 |" in text
        assert "Connection closed by peer" in text
        assert GATES[0].name in text
        assert "| new | ✓ absent | 1 of 1 |" in text
        assert "No bisection over releases is stored." in text
        assert "No ablation of its conditions is stored." in text
        assert "+cure: not run" in text
        assert "Not run on accelerators" in text

    def test_command_is_missing(self, held: Project) -> None:
        """Where upstream's command gave nothing, that is said, and the versions come from the stored run."""
        problem = Described("transformers env", problem="the environment has no command transformers")
        draft = drafted(held, Tracker.TRANSFORMERS, described=problem)
        info = texts(draft)["system-info"]
        assert "`transformers env` gave nothing: the environment has no command transformers" in info
        assert "torch==2.2.2+cpu" in info
        assert any("the versions come from the stored run" in note for note in draft.notes)

    def test_accelerate_launch(self, tmp_path: Path) -> None:
        """The command is the record's launcher, and its file is given too."""
        held = project(tmp_path, failures=False)
        launcher = {"name": "accelerate", "program": "accelerate", "config": "a.yaml", "arguments": ["--debug"]}
        folder = write_failure(held.failures, launchers=[launcher])
        (folder / "a.yaml").write_text("num_processes: 2\n", encoding="utf-8")
        text = texts(drafted(held))["describe-the-bug"]
        assert "\n  accelerate launch --config_file a.yaml --debug repro.py\n" in text
        assert "Save this configuration as `a.yaml` beside the script:\n\n```yaml\nnum_processes: 2\n```" in text
        assert "or `accelerate launch` alone" in text
        assert "torchrun" not in text

    @pytest.mark.parametrize(
        ("factor", "value", "words"),
        [
            ({"name": "mode", "values": ["a", "b"]}, "b", "--mode b"),
            ({"name": "debug", "values": ["unset", "1 2"], "variable": "TORCH_X"}, "1 2", "TORCH_X='1 2'"),
            ({"name": "debug", "values": ["1", "unset"], "variable": "TORCH_X"}, "unset", "env -u TORCH_X"),
            ({"name": "world-size", "values": ["2", "1"]}, "1", "torchrun --standalone --nproc-per-node 1"),
        ],
    )
    def test_what_ends_well(self, tmp_path: Path, factor: dict[str, Any], value: str, words: str) -> None:
        """A value of a factor in the words of a command line: a flag, a variable, the number of ranks."""
        held = project(tmp_path, failures=False)
        name = str(factor["name"])
        evidence = {"environment": "old", "factors": {name: value}, "predicts": "absent"}
        claim = {"id": "c", "kind": "condition", "statement": "s", "verdict": "confirmed", "evidence": [evidence]}
        write_failure(held.failures, factors=[factor | {"meaning": "what it is"}], claims=[claim])
        stored(held, cell(), *broken("2.2.1"), installed=holding("2.2.1"))
        other = make_cell(held.catalog[FAILURE].failure, "old", factors={name: value})
        stored(held, other, *(rank(number) for number in range(other.world_size)), installed=holding("2.2.1"))
        text = texts(drafted(held))["describe-the-bug"]
        assert f"with `{words}` it ends well" in text

    @pytest.mark.parametrize("lanes", [["cpu"], ["cpu", "cuda"]])
    def test_accelerators(self, tmp_path: Path, lanes: list[str]) -> None:
        """That it runs there too is said of a record that has the lane."""
        held = project(tmp_path, failures=False)
        write_failure(held.failures, needs={"world_size": 2, "lanes": lanes})
        stored(held, cell(), failed(0, gates=(GATES[0].name,)), failed(1))
        text = texts(drafted(held))["describe-the-bug"]
        assert "The run below was made on CPU with gloo, after lifting the refusals" in text
        assert ("On accelerators it runs unchanged." in text) is ("cuda" in lanes)

    def test_command(self, held: Project) -> None:
        """The command to repeat it has the pins of the environment and its day."""
        text = texts(drafted(held))["describe-the-bug"]
        assert '--exclude-newer 2024-03-28 --with "torch==2.2.2" \\\n  torchrun --standalone --nproc-per-node 2' in text
        script = SCRIPT.replace("import torch\n", "import lightning\nimport torch\n")
        text = texts(drafted(held, script=script))["describe-the-bug"]
        assert '--with "torch==2.2.2" --with "lightning==2.2.1"' in text


class TestLimits:
    """A body over 65,535 characters is refused, and a long address answered by 414."""

    @pytest.mark.parametrize("tracker", list(Tracker))
    @pytest.mark.parametrize("size", [100, 30_000])
    def test_long(self, held: Project, tracker: Tracker, size: int) -> None:
        """Whatever the environment says and however long the message: it fits, and what was left out is said."""
        error = raised("ValueError", "m" * size, *(frame(f"f{number}") for number in range(300)))
        record = held.failures / FAILURE / "failure.yaml"
        told = record.read_text().replace("type: KeyError", "type: ValueError").replace("optimizer_states", "mmm")
        record.write_text(told.replace("function: save_checkpoint", "function: f299"))
        stored(held, cell(), failed(0, error), failed(1, error))
        draft = drafted(held, tracker, described=Described("x", "é🏖" * size))
        assert length(draft.body) <= BODY_CHARACTERS
        assert len(draft.address) <= ADDRESS_CHARACTERS
        assert SCRIPT.rstrip() in draft.body
        if size == 30_000:
            assert any("For the limit of 65535 characters" in note for note in draft.notes)
            assert "more characters)" in draft.body

    def test_script_too_long(self, held: Project) -> None:
        """A script is never cut: then there is no draft."""
        with pytest.raises(UsageError, match=r"the script has 7\d{4} characters"):
            drafted(held, script=SCRIPT + "# x\n" * 18_000)

    def test_levels(self) -> None:
        """The first leaves nothing out; each further one says what it does."""
        assert LEVELS[0].cut == ""
        assert all(level.cut for level in LEVELS[1:])

    def test_length(self) -> None:
        """Counted as a browser counts."""
        assert length("aé🏖") == 4


class TestAddress:
    """The prefilled address."""

    def test_hugging_face(self, held: Project) -> None:
        """Template, title, and whole fields by their ids."""
        draft = drafted(held, Tracker.ACCELERATE)
        parts = urlsplit(draft.address)
        asked = parse_qs(parts.query)
        assert (parts.netloc, parts.path) == ("github.com", "/huggingface/accelerate/issues/new")
        assert asked["template"] == ["bug-report.yml"]
        assert asked["title"] == [draft.title]
        found = texts(draft)
        assert draft.in_address
        for name in draft.in_address:
            assert asked[name] == [found[name]]

    def test_what_does_not_fit_is_left_out_whole(self, held: Project) -> None:
        """A field is never cut in an address."""
        draft = drafted(held, Tracker.ACCELERATE, described=Described("accelerate env", "line\n" * 3000))
        assert "system-info" not in draft.in_address
        assert "expected-behavior" in draft.in_address

    def test_without_ids(self, held: Project) -> None:
        """Only template and title, where fields have no ids."""
        assert set(parse_qs(urlsplit(drafted(held).address).query)) == {"template", "title"}


class TestRedaction:
    """Nothing that names a person, a machine or a secret is in any file."""

    @pytest.mark.parametrize("tracker", list(Tracker))
    def test_everywhere(self, held: Project, tmp_path: Path, tracker: Tracker) -> None:
        """Planted in the message, the frames, the output, another cell's oracle and the environment's words."""
        error = raised("KeyError", f"'optimizer_states' {LEAKY}", script_frame(LEAKY))
        ranks = [failed(number, raised("KeyError", f"optimizer_states {LEAKY}"), tail=LEAKY) for number in (0, 1)]
        stored(held, cell(), *ranks, launcher_tail=LEAKY)
        stored(held, cell(environment="new"), rank(0, oracle=LEAKY), rank(1, chain=(error,), oracle=LEAKY))
        described = Described("accelerate env", LEAKY)
        case = case_of(held, described, script=SCRIPT + f"# {LEAKY}\n")
        draft = compose(case, FORMS[tracker], REDACT)
        for file in write(draft, tmp_path / "out"):
            text = file.read_text(encoding="utf-8")
            assert not [secret for secret in SECRETS if secret in text.replace("%20", " ")], file
        assert any("changed the script" in note for note in draft.notes)

    def test_verdict_is_older(self, held: Project) -> None:
        """A run is judged as it was, and redacted then: a label must not turn a verdict."""
        record = held.failures / FAILURE / "failure.yaml"
        record.write_text(record.read_text().replace("message: optimizer_states", "message: /home/alice/x"))
        error = raised("KeyError", "/home/alice/x is gone")
        stored(held, cell(), failed(0, error), failed(1, error))
        found = find(held, FAILURE, None, Lane.CPU, REDACT)
        assert found.result.judgement.evidence == "KeyError: ~/x is gone"

    @settings(max_examples=30)
    @given(st.text(max_size=20), st.text(max_size=20))
    def test_models(self, before: str, after: str) -> None:
        """Every text of a model, however deep, and nothing else."""
        ranks = failed(0, raised("E", f"{before} bob@example.org {after}"), tail=f"{before}\n/home/alice/x")
        left = redacted(ranks, REDACT)
        assert "bob@example.org" not in left.model_dump_json()
        assert "alice" not in left.model_dump_json()
        assert (left.exit_code, left.failed_at, left.chain[0].frames) == (1, 5.0, ranks.chain[0].frames)


class TestMarkup:
    """Upstream's words are never markup of the report."""

    @given(st.text(alphabet="`~<>/details\n a", max_size=60))
    def test_fence(self, text: str) -> None:
        """No text leaves its code block."""
        fence, *_, end = fenced(text).splitlines()
        ticks = re.match("`+", fence)
        assert ticks is not None
        assert end == ticks[0]
        assert ticks[0] not in text

    def test_nobody_is_called(self) -> None:
        """An @ in the record's words calls nobody; in code it stays."""
        assert prose("use @record, mail a@b.c or `@record`") == "use @\u200brecord, mail a@b.c or `@record`"

    def test_details(self, held: Project) -> None:
        """A message that closes the block does not close it."""
        error = raised("KeyError", "optimizer_states </details> @someone #12 | x")
        stored(held, cell(), failed(0, error), failed(1, error))
        text = texts(compose(case_of(held), FORMS[Tracker.LIGHTNING], REDACT))["more-info"]
        outside = re.sub(r"(`+).*?\1", "", text)
        assert outside.count("</details>") == 1
        assert "@someone" not in outside


class TestNotes:
    """What the person must know."""

    def test_posted(self, held: Project) -> None:
        """Nothing is posted, and the policy of the tracker is told."""
        notes = drafted(held).notes
        assert notes[0].startswith("Nothing was posted.")
        assert any("AI disclosed" in note for note in notes)

    def test_old(self, held: Project) -> None:
        """A failure that the newest release does not show is no report to file."""
        assert any("Not seen in the newest release" in note for note in drafted(held).notes)

    def test_reported(self, held: Project) -> None:
        """One that is reported is not filed a second time."""
        record = held.failures / FAILURE / "failure.yaml"
        record.write_text(record.read_text().replace("https://example.org/19492", "pytorch/pytorch#7"))
        draft = drafted(held)
        assert any("Already reported as pytorch/pytorch#7 (closed)" in note for note in draft.notes)
        assert not any("Already" in note for note in drafted(held, Tracker.ACCELERATE).notes)

    def test_unreported_with_related_issues(self, held: Project) -> None:
        """Issues of something related are no reason to keep a report back."""
        record = held.failures / FAILURE / "failure.yaml"
        text = record.read_text().replace("https://example.org/19492", "pytorch/pytorch#7")
        record.write_text(text.replace("state: closed", "state: unreported"))
        notes = drafted(held).notes
        assert any("Not reported yet" in note and "pytorch/pytorch#7" in note for note in notes)
        assert not any("Already" in note for note in notes)

    def test_wrong_tracker(self, held: Project) -> None:
        """A tracker that the record says nothing of."""
        assert any("does not speak of accelerate" in note for note in drafted(held, Tracker.ACCELERATE).notes)
        assert not any("does not speak" in note for note in drafted(held, Tracker.LIGHTNING).notes)


class TestFind:
    """Which stored run a draft is about."""

    def test_newest(self, held: Project) -> None:
        """The newest environment that shows it."""
        stored(held, cell(), failed(0), failed(1))
        stored(held, cell(environment="new"), *broken("2.2.2"), installed=holding("2.2.2"))
        assert find(held, FAILURE, None, Lane.CPU, REDACT).result.cell.environment.label == "new"
        assert find(held, FAILURE, "old", Lane.CPU, REDACT).result.cell.environment.label == "old"

    def test_nothing_shows_it(self, held: Project) -> None:
        """Without a run that shows it there is no draft, and the message says what to run."""
        with pytest.raises(
            UndecidedError, match=f"old was not run.*run `repro run {FAILURE} --catalog failures` first"
        ):
            find(held, FAILURE, None, Lane.CPU, REDACT)
        stored(held, cell(environment="new"), rank(0), rank(1))
        with pytest.raises(
            UndecidedError, match=r"new is absent; run `repro run .* --env new --catalog failures` first"
        ):
            find(held, FAILURE, "new", Lane.CPU, REDACT)

    def test_unknown(self, held: Project) -> None:
        """Misspelt names name the nearest."""
        with pytest.raises(UsageError, match="did you mean 'old'"):
            find(held, FAILURE, "odl", Lane.CPU, REDACT)


class TestFiles:
    """What is written."""

    def test_files(self, held: Project, tmp_path: Path) -> None:
        """One file a field that has a text, and five for the whole."""
        draft = drafted(held, Tracker.TRANSFORMERS)
        names = {file.name for file in write(draft, tmp_path / "out")}
        assert names == {file.name for file in (tmp_path / "out").iterdir()}
        assert {"title.txt", "issue.md", "address.txt", "repro.py", "NOTES.md"} <= names
        assert "field-1-system-info.md" in names
        assert not [name for name in names if "who-can-help" in name]
        assert (tmp_path / "out" / "repro.py").read_text() == SCRIPT
