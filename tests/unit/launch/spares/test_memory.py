"""How much memory spares may hold."""

import subprocess
import sys
from pathlib import Path

from repro.launch.spares.memory import free_memory, have_room, held_by


def test_a_share() -> None:
    """A quarter of what is free without them."""
    assert have_room(100, 300)
    assert not have_room(100, 299)
    assert have_room(0, 0)


def test_held() -> None:
    """By processes and all below them, each once; a process that has ended holds nothing."""
    child = "x = b'1' * 50_000_000; print(1, flush=True); input()"
    words = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        held = held_by([process.pid])
        assert held > 50_000_000
        assert held_by([process.pid, process.pid]) < 1.5 * held
        process.communicate(b"\n")
    assert held_by([process.pid]) == 0


def test_control_groups(tmp_path: Path) -> None:
    """What the groups of this process leave free, without what the kernel only caches; both versions."""
    own = tmp_path / "own"
    for text, folder, names in (
        ("0::/job/step\n", "job", ("memory.max", "memory.current")),
        ("4:memory:/job\n", "memory/job", ("memory.limit_in_bytes", "memory.usage_in_bytes")),
    ):
        own.write_text(text)
        group = tmp_path / "groups" / folder
        group.mkdir(parents=True)
        (group / names[0]).write_text("1000\n")
        (group / names[1]).write_text("900\n")
        assert free_memory(tmp_path / "groups", own) == 100
        (group / "memory.stat").write_text("anon 5\ninactive_file 300\n")
        assert free_memory(tmp_path / "groups", own) == 400
        (group / names[0]).write_text("max\n")
        assert free_memory(tmp_path / "groups", own) > 1000
    own.write_text("3:cpu:/job\n")
    assert free_memory(tmp_path / "groups", own) > 1000
