"""A signature from a log that somebody kept."""

from pathlib import Path

import pytest

from repro.doctor.log.last_error import signature_in
from repro.model.errors import UsageError

TRACEBACK = """\
Traceback (most recent call last):
  File "/home/me/train.py", line 40, in <module>
    main()
  File "/home/me/env/lib/python3.11/site-packages/transformers/trainer.py", line 2500, in save
    self.state.save_to_json(path)
  File "/home/me/env/lib/python3.11/site-packages/transformers/trainer_callback.py", line 115, in save_to_json
    with open(path, "w") as f:
  File "/usr/lib/python3.11/codecs.py", line 10, in open
    pass
FileNotFoundError: [Errno 2] No such file or directory: '/tmp/out-1/checkpoint-1/trainer_state.json'
"""


def test_the_last_traceback(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    other = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nValueError: handled\n'
    file.write_text(f"step 1\n{other}\nDuring handling:\n{TRACEBACK}the end\n")
    signature = signature_in(file)
    assert (signature.type, signature.library, signature.function) == (
        "FileNotFoundError",
        "transformers",
        "save_to_json",
    )
    assert signature.ranks == "any"


def test_prefixes_of_ranks_are_interleaved(tmp_path: Path) -> None:
    lines = [f"[rank{n}]: {line}" for line in TRACEBACK.splitlines() for n in (0, 1)]
    file = tmp_path / "log.txt"
    child = (
        'Traceback (most recent call last):\n  File "/x/bin/torchrun", line 8, in <module>\n    main()\n'
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n"
    )
    file.write_text("\n".join(lines) + "\n" + child)
    assert signature_in(file).function == "save_to_json"


def test_a_log_without_a_traceback(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_text("ValueError: mentioned in prose\n")
    with pytest.raises(UsageError, match="shows no traceback"):
        signature_in(file)


def test_what_only_reports_a_lost_peer_is_not_taken(tmp_path: Path) -> None:
    """The last traceback of a log is often that of a rank whose peer has gone: no release is to blame for it."""
    peer = (
        'Traceback (most recent call last):\n  File "/e/lib/python3.11/site-packages/torch/distributed/x.py", line 3, '
        "in all_reduce\n    work.wait()\nRuntimeError: [/x/gloo/transport/tcp/pair.cc:534] Connection closed by peer "
        "[127.0.0.1]:4711\n"
    )
    file = tmp_path / "log.txt"
    file.write_text(TRACEBACK + peer)
    assert signature_in(file).function == "save_to_json"


def test_mixed_frames_of_two_ranks_are_refused(tmp_path: Path) -> None:
    """Two ranks wrote at once, without prefixes: the innermost frame may be the other one's."""
    lines = TRACEBACK.splitlines()
    file = tmp_path / "log.txt"
    file.write_text("\n".join([*lines[:3], *lines]) + "\n")
    with pytest.raises(UsageError, match="frames of several ranks are mixed"):
        signature_in(file)
