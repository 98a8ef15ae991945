"""What the page knows: everything of our own records, and the name of each pattern that it lacks."""

import json

from repro.catalog.project import Project
from repro.catalog.public_threads import reported_failures
from repro.doctor.browser.box import box_script, json_of
from repro.doctor.browser.knowledge import knowledge
from repro.model.public_threads import Reported
from repro.model.seen_as import SeenAs, SeenFrame

FRAME = (SeenFrame(library="torch", function="save"),)


def test_nothing_is_left_out_of_our_own() -> None:
    """Every pattern of a log that our records and threads have is there."""
    project = Project.here()
    failures = [entry.failure for entry in project.catalog]
    found = knowledge(failures, reported_failures(project), project.matrix.deny, {})
    assert found.needs_command == ()
    wanted = sum(not seen.nothing for failure in failures for seen in failure.seen_as)
    assert sum(len(item.seen_as) for item in found.failures) == wanted > 10
    assert len(found.reported) == len(reported_failures(project)) >= 100


def test_a_pattern_that_a_browser_lacks_is_named() -> None:
    """Its record is named, so that the page can say what it did not compare."""
    failure = next(iter(Project.here().catalog)).failure
    odd = SeenAs(name="odd", error=("KeyError",), message=r"\pL+", frames=FRAME)
    fine = SeenAs(name="fine", error=("KeyError",), message="x", frames=FRAME)
    link = "https://github.com/owner/name/issues/1"
    thread = Reported(link=link, said="something", seen_as=odd)
    found = knowledge([failure.model_copy(update={"seen_as": (odd, fine)})], [thread], (), {})
    assert found.needs_command == (failure.id, link)
    assert [item.name for item in found.failures[0].seen_as] == ["fine"]
    assert found.reported == ()


def test_no_text_ends_the_element() -> None:
    """A foreign record's title is text in JSON in HTML."""
    failure = next(iter(Project.here().catalog)).failure
    evil = failure.model_copy(update={"title": "</script><script>alert(1)</script><!--&"})
    text = json_of(knowledge([evil], (), (), {}))
    assert not set("<>&") & set(text)
    assert json.loads(text)["failures"][0]["title"] == evil.title


def test_one_script() -> None:
    """The box brings one script, which holds nothing that could end its element."""
    assert "</" not in box_script().lower()
