"""The box of the first page in a real Chromium: the same answers as the command, and nothing is sent."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from repro.catalog.project import Project
from repro.doctor.browser.box import box_knowledge, box_script
from repro.doctor.diagnosis import Diagnosis, Finding, diagnose
from repro.doctor.log.given_log import answer_log, known_of
from repro.doctor.log.outcome import Known
from repro.doctor.stack.files import read_stack
from repro.doctor.tried import newest_tried
from repro.model.errors import UsageError
from repro.model.specifiers import PYTHON
from repro.report.site.answer_box import AnswerBox
from repro.report.site.publish import publish
from repro.report.write import write_reports
from repro.store.observations import Store
from tests.unit.doctor.log.corpus import unrelated_logs
from tests.unit.doctor.log.dumps import dump, entry
from tests.unit.doctor.log.forms import FORMS
from tests.unit.doctor.log.test_log_cases import CASES, log_of
from tests.unit.doctor.stack.test_stack_cases import CASES as STACKS
from tests.unit.doctor.stack.test_stack_cases import written

DATA = Path(__file__).parents[1] / "data"
LOGS = sorted((DATA / "logs").rglob("*.log"))
FOLDERS = sorted(folder for folder in (DATA / "doctor-inputs").iterdir() if folder.is_dir())
ELSEWHERE = ("format", "rule", "source", "waits")
"""What only the command's answer has."""
ANSWERED = {
    *("advise-header-range", "advise-nothing-known", "advise-search-range", "closed-forecasting", "closed-trl"),
    *("closed-unrelated-only", "closed-vllm", "editable-comment", "format-pip-list", "freeze-with-own-project"),
    *("line-constraint-url", "line-legacy-version", "line-section", "line-star-bound", "line-variable"),
    *("needs-accelerate", "needs-torch-2.1", "needs-umt5", "prerelease-ngc", "stdin-bom"),
    *("marker-extra", "marker-never", "marker-windows-and-python", "pack-base-conda-freeze"),
}
"""Inputs of which the page says as much as the command."""
REFUSED = {"contradiction", "duplicate-pins"}
"""The command refuses these in one line, as pip does."""

# What a page says of a text, as its own script does.
ASK = "([text, kind]) => repro.answer(text, kind)"


@pytest.fixture(scope="module")
def project() -> Project:
    return Project.here()


@pytest.fixture(scope="module")
def known(project: Project) -> Known:
    return known_of(project, [entry.failure for entry in project.catalog])


@pytest.fixture
def box(page: Page, answering: Path) -> Page:
    page.goto((answering / "index.html").as_uri())
    return page


def of_command(file: Path, known: Known) -> dict[str, Any]:
    """The answer of `repro doctor --log --json`, but for redaction: the page shows a text to its owner alone."""
    found = answer_log(file, known, str).model_dump(mode="json")
    return {key: value for key, value in found.items() if key not in ELSEWHERE}


def of_page(box: Page, text: str) -> dict[str, Any]:
    found = dict(box.evaluate(ASK, [text, "log"]))
    assert found.pop("kind") == "log"
    assert found.pop("needs_command") == []
    return found


@pytest.mark.parametrize("file", LOGS, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_log(file: Path, asked: Page, known: Known) -> None:
    """The shared logs, and those that hold for each pattern: every field of the answer is the command's."""
    text = file.read_text(encoding="utf-8")
    found = of_command(file, known)
    assert of_page(asked, text) == found
    if found["answer"] != "no error found":
        assert asked.evaluate(ASK, [text, ""])["kind"] == "log"


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str, asked: Page, known: Known, tmp_path: Path) -> None:
    """Whatever launcher, logger, viewer or person wrote it."""
    file = tmp_path / "log"
    for source in [log for log in LOGS if log.parent.name != "logs"][:8]:
        text = "\n".join([*FORMS[form](source.read_text(encoding="utf-8").splitlines()), ""])
        file.write_bytes(text.encode())
        assert of_page(asked, text) == of_command(file, known), source


def test_unrelated_logs(asked: Page, known: Known, tmp_path: Path) -> None:
    """Logs of other failures, of passing runs and of other libraries."""
    file = tmp_path / "log"
    for text in unrelated_logs(60):
        file.write_bytes(text.encode())
        assert of_page(asked, text) == of_command(file, known)


def test_log_cases(asked: Page, known: Known, tmp_path: Path) -> None:
    """Logs of clusters and viewers, and near misses of every pattern."""
    file = tmp_path / "log"
    for case in CASES[::3]:
        file.write_bytes(log_of(case).encode())
        assert of_page(asked, log_of(case)) == of_command(file, known), case["name"]


def test_flight_recorder(asked: Page) -> None:
    """A dump is declined with the command that reads it; a log in JSON lines is none."""
    found = asked.evaluate(ASK, [json.dumps(dump(entry(1))), ""])
    assert (found["kind"], found["use"]) == ("declined", "repro doctor --log FILE")
    assert asked.evaluate(ASK, ['{"message": "KeyError: 1"}', ""])["kind"] == "log"


def of_records(project: Project, file: Path) -> dict[str, Diagnosis]:
    """What `repro doctor --from` finds; raises UsageError for a text that it refuses."""
    failures = [entry.failure for entry in project.catalog]
    watched = sorted({name for failure in failures for name in failure.concerns if name != PYTHON})
    found = diagnose(failures, read_stack(file, watched), tried=newest_tried(project.matrix))
    return {item.failure.id: item for item in found}


def differing(answer: Mapping[str, Any], found: Mapping[str, Diagnosis]) -> list[str]:
    """The failures of which the page says something else, "could not tell" not counted."""
    assert [item["id"] for item in answer["failures"]] == list(found)
    return [
        item["id"]
        for item in answer["failures"]
        if item["finding"] not in {found[item["id"]].finding, Finding.UNKNOWN}
        or (item["finding"] == Finding.LISTED and item["cures"] != list(found[item["id"]].cures))
    ]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_input(folder: Path, asked: Page, project: Project) -> None:
    """The same findings as the command, or "could not tell" with the command that can; never anything else."""
    for file in sorted(folder.iterdir()):
        if file.name in {"expected.json", "make.sh"} or not file.is_file():
            continue
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            continue
        if "\0" in text:  # cannot be pasted
            continue
        answer = asked.evaluate(ASK, [text, ""])
        if answer["kind"] == "declined":
            assert answer["use"] == "repro doctor --from FILE"
            assert folder.name not in ANSWERED
            continue
        assert answer["kind"] == "versions"
        assert folder.name not in REFUSED
        found = of_records(project, file)
        assert differing(answer, found) == []
        if folder.name in ANSWERED:
            assert {item["id"]: item["finding"] for item in answer["failures"]} == {
                name: item.finding for name, item in found.items()
            }


def test_every_kind_of_input_is_met() -> None:
    """The names above are names of inputs."""
    assert {folder.name for folder in FOLDERS} >= ANSWERED | REFUSED


def stacks(count: int) -> list[str]:
    """Freezes and requirements texts with releases, pre-releases, vendor builds, bounds and nonsense."""
    draw = random.Random(7)
    releases = json.loads((DATA / "releases.json").read_text(encoding="utf-8"))
    ends = ["", "", "", "", "+cu121", "+nv24.1", "rc1", ".dev20240101", ".post1", "a0+gitabc"]
    texts = []
    for _ in range(count):
        lines = []
        for name in sorted(draw.sample(sorted(releases), draw.randint(1, len(releases)))):
            version = draw.choice(list(releases[name])[-60:])
            clause = draw.choice(["==", "==", "==", "==", ">=", "<=", "<", ">", "~=", "!="])
            end = draw.choice(ends) if clause == "==" else ""
            more = draw.choice(["", "", "", ",<99", ",!=2.2.2", ".*"]) if clause in {">=", "<"} or end == "" else ""
            lines.append(f"{name}{clause}{version}{end}{more if more != '.*' or clause == '==' else ''}")
        if draw.random() < 0.3:
            lines += ["filelock==3.13.1", "Jinja2==3.1.3", "sympy==1.12"]
            lines.sort(key=lambda line: line.lower())
        texts.append("\n".join([*lines, ""]))
    return texts


def test_many_stacks(asked: Page, project: Project, tmp_path: Path) -> None:
    """Hundreds of texts: finding and reason of every failure are the command's."""
    file = tmp_path / "requirements.txt"
    texts = stacks(250)
    answers = asked.evaluate("texts => texts.map(text => repro.answer(text, 'versions'))", texts)
    compared = 0
    for text, answer in zip(texts, answers, strict=True):
        file.write_text(text, encoding="utf-8")
        try:
            found = of_records(project, file)
        except UsageError:
            assert answer["kind"] == "declined", text
            continue
        if answer["kind"] == "declined":
            assert "satisf" in answer["why"], text
            continue
        said = {item["id"]: (item["finding"], item["why"], item["note"]) for item in answer["failures"]}
        assert said == {name: (item.finding, item.why, "; ".join(item.notes)) for name, item in found.items()}, text
        compared += 1
    assert compared > 200


@pytest.mark.parametrize(
    "text",
    [
        "[project]\nname = 'x'\ndependencies = ['torch==2.2.2']\n",
        "version = 1\n\n[[package]]\nname = 'torch'\nversion = '2.2.2'\n",
        "dependencies:\n  - pytorch=2.2.2\n",
        '{"default": {"torch": {"version": "==2.2.2"}}}',
        "FROM python:3.11\nRUN pip install torch==2.2.2\n",
        "- `transformers` version: 4.49.0\n- PyTorch version (GPU?): 2.2.2 (True)\n",
        "# packages in environment at /opt/conda:\npytorch 2.2.2 py3.11 pytorch\n",
        "torch==2.2.2\ntorch==2.4.0\n",
        " \n",
    ],
)
def test_declined(text: str, box: Page) -> None:
    """What the page does not read is no answer: it names the command that reads it."""
    box.locator("#ask-text").fill(text)
    box.locator("#ask button[type=submit]").click()
    output = box.locator("#ask output")
    expect(output).to_contain_text("could not tell")
    expect(output).to_contain_text("repro doctor --")
    expect(output).not_to_contain_text("not affected")


def test_a_malicious_release_stands_first(box: Page) -> None:
    box.locator("#ask-text").fill("lightning==2.6.2\ntorch==2.2.2\n")
    box.locator("#ask button[type=submit]").click()
    expect(box.locator("#ask output p").first).to_contain_text("Do not use: lightning 2.6.2: malicious upload")


def test_shown(box: Page) -> None:
    """A log's answer in words, with a link to the page of the failure; clearing takes it away."""
    box.locator("#ask-text").fill((DATA / "logs" / "02-19492-pl-name.log").read_text(encoding="utf-8"))
    box.locator("#ask button[type=submit]").click()
    output = box.locator("#ask output")
    expect(output.locator(".found")).to_have_text("known")
    expect(output).to_contain_text("cure: upgrade to lightning >=2.2.2")
    box.locator("#ask button[type=reset]").click()
    expect(output).not_to_be_visible()
    box.locator("#ask-text").fill("torch==2.2.2\nlightning==2.2.1\n")
    box.locator("#ask button[type=submit]").click()
    output.get_by_role("link", name="lightning-19492").click()
    expect(box.locator("h1")).to_contain_text("optimizer_states")


def test_markup_of_a_text_is_text(box: Page) -> None:
    """The fixture fails at any dialog."""
    evil = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    box.locator("#ask-text").fill(
        f'Traceback (most recent call last):\n  File "t.py", line 1, in f\nValueError: {evil}\n'
    )
    box.locator("#ask button[type=submit]").click()
    expect(box.locator("#ask output")).to_contain_text(evil)
    assert box.locator("#ask output img, #ask output script").count() == 0


def test_nothing_is_sent(page: Page, answering: Path) -> None:
    """The page makes one request, for itself, and its policy allows no other."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    address = (answering / "index.html").as_uri()
    page.goto(address)
    page.locator("#ask-text").fill("torch==2.2.2\n")
    page.locator("#ask button[type=submit]").click()
    expect(page.locator("#ask output")).to_be_visible()
    assert asked == [address]
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content") or ""
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy
    assert page.locator("script:not([type])").count() == 1


def test_the_file_beside_the_page(answering: Path) -> None:
    """The page holds what the file beside it holds: a page from a disk may not read a file."""
    known = (answering / "answers.json").read_text(encoding="utf-8")
    assert known in (answering / "index.html").read_text(encoding="utf-8")
    assert len(json.loads(known)["reported"]) >= 100


def test_a_pattern_that_a_browser_lacks(page: Page, tmp_path: Path) -> None:
    """The answer names the records whose patterns were not compared, and the command that compares them."""
    project = Project.here(tmp_path)
    known = json.loads(box_knowledge(project))
    known["needs_command"] = ["lightning-19492"]
    changed = AnswerBox(box_script(), json.dumps(known).replace("<", "\\u003c"))
    store = Store(tmp_path / "data")
    publish(project, store, write_reports(project, store), changed)
    page.goto((tmp_path / "index.html").as_uri())
    page.locator("#ask-text").fill("Traceback (most recent call last):\nOddError: something else\n")
    page.locator("#ask button[type=submit]").click()
    expect(page.locator("#ask output")).to_contain_text("a browser cannot compare the log patterns of lightning-19492")
    expect(page.locator("#ask output")).to_contain_text("repro doctor --log FILE")


def test_stack_cases(asked: Page, project: Project, tmp_path: Path) -> None:
    """Texts as users have them: what the command says, or "could not tell", or the page declines."""
    for case in STACKS[::2]:
        if case["file"] not in {"requirements.txt", "f.txt", "list.txt"} or "encoding" in case:
            continue
        answer = asked.evaluate(ASK, [case["text"], ""])
        if answer["kind"] != "versions":
            continue
        try:
            found = of_records(project, written(case, tmp_path))
        except UsageError:
            assert {item["finding"] for item in answer["failures"]} == {Finding.UNKNOWN}, case["name"]
            continue
        wrong = differing(answer, found)
        assert not wrong, (case["name"], wrong)
