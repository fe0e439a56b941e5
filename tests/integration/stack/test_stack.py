"""The local stack's life: an interrupt leaves nothing behind; a half-dead stack is an error that says why."""

import os
import signal
import subprocess
from pathlib import Path

import msgspec
import pytest

from vagus_local import emulator_process, stack
from vagus_local.emulator_process import ROOT, Emulator
from vagus_local.waiting import until

UP = [str(ROOT / ".venv/bin/vagus"), "local", "up", "--stack"]


def test_an_interrupt_while_it_comes_up_leaves_no_process(tmp_path: Path) -> None:
    command = [*UP, str(tmp_path)]
    # a shell's background jobs ignore SIGINT, and so would all that they start: a process at a terminal does not
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    signal.signal(signal.SIGINT, before)
    note = tmp_path / "run" / "emulator.json"
    try:
        until(lambda: note.exists() or process.poll() is not None, 120, "the emulator has been started")
        assert process.poll() is None, process.communicate()[0].decode()
        emulator = msgspec.json.decode(note.read_bytes(), type=Emulator)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=240)
    finally:
        process.kill()
        process.wait()
    assert process.returncode != 0, said
    assert not emulator.alive()
    assert not (tmp_path / "run").exists()
    assert b"Traceback" not in said


def test_a_half_dead_stack_is_an_error_with_the_log_that_tells_why(tmp_path: Path) -> None:
    emulator = emulator_process.start(tmp_path / "run")
    alive = stack.Stack(
        endpoint=emulator.endpoint,
        region="us-east-1",
        account="0" * 12,
        cell="local",
        fleet=str(ROOT / "fleet"),
        clusters=(),
        run=str(tmp_path / "run"),
    )
    (tmp_path / "stack.json").write_bytes(msgspec.json.encode(alive))
    assert stack.status(tmp_path)["up"] is True
    emulator.log.write_text("the reason of its death\n")
    os.kill(emulator.pid, signal.SIGKILL)
    until(lambda: not emulator.alive(), 120, "it is dead")
    with pytest.raises(stack.StackError, match="the reason of its death"):
        stack.status(tmp_path)
    stack.down(tmp_path)
    assert stack.status(tmp_path) == {"up": False}
