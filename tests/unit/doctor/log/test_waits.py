"""In which collective each rank waits, and what the answer says of it."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from repro.catalog.project import Project
from repro.doctor.log import waits
from repro.doctor.log.given_log import answer_log, known_of
from repro.doctor.log.log_answer import Answer, LogAnswer
from repro.doctor.log.log_table import print_log_answer
from repro.doctor.log.outcome import Known, exit_of_log
from repro.model.errors import Exit
from tests.unit.doctor.log.dumps import OBJECTS, done, dump, entry, write


@pytest.fixture(scope="module")
def known() -> Known:
    project = Project.here()
    return known_of(project, [entry.failure for entry in project.catalog])


def answered(folder: Path, known: Known, *dumps: dict[str, Any], as_json: bool = False) -> LogAnswer:
    return answer_log(write(folder, *dumps, as_json=as_json), known, str)


OTHER_CODE = (dump(done(1), entry(2)), dump(done(1), entry(2, "broadcast", frames=OBJECTS)))


def test_ranks_in_different_collectives(tmp_path: Path, known: Known) -> None:
    """Each rank's collective is said, that they differ, and the record of a hang whose ranks run different code."""
    found = answered(tmp_path, known, *OTHER_CODE)
    assert [(item.rank, item.operation, item.number, item.called_from) for item in found.waits] == [
        ("0", "nccl:all_reduce", 2, "main (load.py:41)"),
        ("1", "nccl:broadcast", 2, "main (load.py:41)"),
    ]
    assert (found.answer, found.found[0].id, found.found[0].rank) == (Answer.COULD_BE, "pytorch-149516", "1")
    assert found.notes == (
        "group default_pg, call 2: the ranks call different collectives: rank 0 nccl:all_reduce; rank 1 nccl:broadcast",
    )
    assert exit_of_log(found) is Exit.UNKNOWN


def test_one_rank_alone(tmp_path: Path, known: Known) -> None:
    """The dump of one rank is compared too, and the dumps that are not there are named."""
    write(tmp_path, *OTHER_CODE)
    found = answer_log(tmp_path / "nccl_trace_rank_1", known, str)
    assert (found.answer, found.found[0].id) == (Answer.COULD_BE, "pytorch-149516")
    assert found.notes == ("group default_pg, call 2: the dumps of rank 0 are not here; with them more could be said",)


def test_json_form_has_no_frames(tmp_path: Path, known: Known) -> None:
    """It says where each rank waits; no record is named by the collective's name alone, and the exit code is 3."""
    found = answered(tmp_path, known, *OTHER_CODE, as_json=True)
    assert [item.operation for item in found.waits] == ["nccl:all_reduce", "nccl:broadcast"]
    assert (found.answer, found.found) == (Answer.CONSEQUENCES, ())
    assert "call different collectives" in found.notes[0]
    assert "Give the pickled dump" in found.notes[-1]
    assert exit_of_log(found) is Exit.UNKNOWN


def test_rank_that_never_came(tmp_path: Path, known: Known) -> None:
    found = answered(tmp_path, known, dump(done(1), entry(2)), dump(done(1)))
    assert [(item.rank, item.waits, item.number) for item in found.waits] == [("0", True, 2), ("1", False, 1)]
    (note,) = found.notes
    assert "rank 1 never called it" in note
    assert (found.answer, found.found) == (Answer.NEW, ())


def test_ranks_that_agree(tmp_path: Path, known: Known) -> None:
    """All in the same call: a record of ranks that run different code is not named."""
    same = dump(done(1), entry(2, "broadcast", frames=OBJECTS, state="started"))
    found = answered(tmp_path, known, same, same)
    assert (found.answer, found.found) == (Answer.NEW, ())
    (note,) = found.notes
    assert "all 2 ranks wait in nccl:broadcast with the same inputs" in note


def test_different_sizes(tmp_path: Path, known: Known) -> None:
    found = answered(tmp_path, known, dump(entry(1)), dump(entry(1, input_sizes=[[5]])))
    said = "the ranks call nccl:all_reduce with different inputs: rank 0 [4] Float; rank 1 [5] Float"
    assert found.notes == (f"group default_pg, call 1: {said}",)


@pytest.mark.parametrize("operation", ["all_to_all", "reduce_scatter", "_allgather_base"])
def test_sizes_that_may_differ(tmp_path: Path, known: Known, operation: str) -> None:
    found = answered(tmp_path, known, dump(entry(1, operation)), dump(entry(1, operation, input_sizes=[[5]])))
    assert not [note for note in found.notes if "different inputs" in note]


def test_several_groups(tmp_path: Path, known: Known) -> None:
    """A rank may wait in several groups; what is of another group is not compared."""
    other = entry(1, "_allgather_base", process_group=("5", "mesh_tp"), record_id=5)
    first = dump(entry(1), other)
    found = answered(tmp_path, known, first, dump(entry(1, "broadcast")))
    assert [(item.rank, item.group) for item in found.waits] == [
        ("0", "default_pg"),
        ("0", "mesh_tp"),
        ("1", "default_pg"),
    ]
    assert len(found.notes) == 1


def test_name_of_the_default_group(tmp_path: Path, known: Known) -> None:
    """gloo's dumps state the ranks of the default group without its name."""
    found = answered(tmp_path, known, dump(entry(1), group=""))
    assert found.notes == ("group default_pg, call 1: the dumps of rank 1 are not here; with them more could be said",)


def test_groups_without_end(tmp_path: Path, known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "MOST_GROUPS", 2)
    many = dump(*(entry(1, process_group=(str(name), "")) for name in range(5)))
    assert answered(tmp_path, known, many).notes[0] == "only the first 2 of 5 process groups were compared"


def test_sends_are_no_collectives(tmp_path: Path, known: Known) -> None:
    """A send and a receive differ by nature."""
    pair = [entry(0, name, is_p2p=True, p2p_seq_id=1) for name in ("send 0->1", "recv 1<-0")]
    found = answered(tmp_path, known, *(dump(item) for item in pair))
    assert [(item.operation, item.number) for item in found.waits] == [("nccl:send 0->1", 1), ("nccl:recv 1<-0", 1)]
    assert found.notes == ()


def test_nobody_waits(tmp_path: Path, known: Known) -> None:
    found = answered(tmp_path, known, dump(done(1)), dump(done(1)))
    assert (found.answer, exit_of_log(found), found.notes) == (Answer.NOTHING, Exit.OK, ())


def test_two_dumps_of_a_rank(tmp_path: Path, known: Known) -> None:
    """The one with frames is read."""
    write(tmp_path, *OTHER_CODE, as_json=True)
    found = answered(tmp_path, known, *OTHER_CODE)
    assert [item.file for item in found.waits] == ["nccl_trace_rank_0", "nccl_trace_rank_1"]
    assert found.notes[0] == "nccl_trace_rank_0.json was left out: nccl_trace_rank_0 is of the same rank"


def test_standard_input(tmp_path: Path, known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, OTHER_CODE[1])
    stream = io.BufferedReader(io.BytesIO((tmp_path / "nccl_trace_rank_0").read_bytes()))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
    found = answer_log(Path("-"), known, str)
    assert (found.source, found.waits[0].rank, found.found[0].id) == ("standard input", None, "pytorch-149516")


def test_what_is_printed(tmp_path: Path, known: Known) -> None:
    shown = io.StringIO()
    print_log_answer(Console(file=shown, width=200), answered(tmp_path, known, *OTHER_CODE))
    text = shown.getvalue()
    assert "4 calls of a flight recorder" in text
    assert (
        "rank 1 waits in nccl:broadcast, call 2 of group default_pg, [4] Float, called from main (load.py:41)" in text
    )
    assert "could be: pytorch-149516" in text
    assert "call 2, rank 1: a stack that stands in broadcast" in text


def test_names_are_redacted(tmp_path: Path, known: Known) -> None:
    folder = write(tmp_path, dump(entry(1, process_group=("0", "alice"))))
    assert "alice" not in answer_log(folder, known, lambda text: text.replace("alice", "<user>")).waits[0].group
