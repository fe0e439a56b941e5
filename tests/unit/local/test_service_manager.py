"""The stand-in for systemd: one service, owned by the instance's first process, steered by every other systemctl."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vagus_local import service_manager
from vagus_local.waiting import until

BOOT = """#!/bin/bash
echo "$1" >>"$INSTANCE_HOME/calls"
case $1 in
prepare) exit "$(cat "$INSTANCE_HOME/prepare-exits" 2>/dev/null || echo 0)" ;;
exec) exec sleep 600 ;;
esac
"""


class Instance:
    """A folder with a boot script, and the service manager as its first process."""

    def __init__(self, home: Path) -> None:
        self.home = home
        unit = home / "nodes" / "vagus-search.service"
        unit.parent.mkdir(parents=True)
        unit.touch()
        unit.with_name("boot.sh").write_text(BOOT)
        unit.with_name("boot.sh").chmod(0o755)
        assert self.systemctl("link", str(unit)).returncode == 0

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-I", "-S", str(service_manager.__file__), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "INSTANCE_HOME": str(self.home)}

    def systemctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = self.command(*arguments)
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=30)

    def boot(self) -> subprocess.Popen[str]:
        """Starts the service manager and waits for the first line that it says."""
        process = subprocess.Popen(
            self.command("enable", "--now", "vagus-search"), env=self.environment, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        self.said = process.stderr.readline()
        self.first = process
        return process

    def next_line(self) -> str:
        assert self.first.stderr is not None
        return self.first.stderr.readline()

    def calls(self) -> list[str]:
        return (self.home / "calls").read_text().split()

    def main_pid(self) -> int:
        return int(self.systemctl("show", "--property=MainPID", "--value", "vagus-search").stdout)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    made = Instance(tmp_path)
    with made.boot() as process:
        yield made
        if process.poll() is None:
            process.kill()


def end(instance: Instance, number: signal.Signals = signal.SIGTERM) -> int:
    instance.first.send_signal(number)
    return instance.first.wait(20)


def test_the_service_is_prepared_and_started_and_ends_with_the_instance(instance: Instance) -> None:
    assert instance.said == "Started vagus-search.service\n"
    until(lambda: instance.calls() == ["prepare", "exec"], 10, "prepared, then started")
    main = instance.main_pid()
    assert os.getpgid(main) == os.getpgid(instance.first.pid), "one process group: the hypervisor ends all of it"
    assert end(instance) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(main, 0)


def test_stop_start_and_restart(instance: Instance) -> None:
    first = instance.main_pid()
    assert instance.systemctl("is-active", "vagus-search").stdout == "active\n"
    assert instance.systemctl("start", "vagus-search").returncode == 0
    assert instance.main_pid() == first, "starting what runs does nothing"
    assert instance.systemctl("stop", "vagus-search").returncode == 0
    assert instance.systemctl("is-active", "vagus-search").returncode == 3
    assert instance.systemctl("restart", "vagus-search.service").returncode == 0
    assert instance.main_pid() not in (0, first)
    end(instance)


def test_status_brings_the_last_words_of_its_log(instance: Instance) -> None:
    (instance.home / "boot.log").write_text("one\ntwo\nthree\n")
    told = instance.systemctl("status", "vagus-search", "--no-pager", "-n", "2")
    assert (told.returncode, told.stdout) == (0, "two\nthree\n")
    instance.systemctl("stop", "vagus-search")
    assert instance.systemctl("status", "vagus-search", "-n", "1").returncode == 3
    end(instance)


def test_a_failed_check_starts_nothing_and_the_instance_lives_on(instance: Instance) -> None:
    (instance.home / "prepare-exits").write_text("78")
    done = instance.systemctl("restart", "vagus-search")
    assert done.returncode == 1
    assert "prepare exited with 78" in done.stdout
    assert instance.main_pid() == 0
    assert instance.calls()[-1] == "prepare"
    (instance.home / "prepare-exits").write_text("0")
    assert instance.systemctl("start", "vagus-search").returncode == 0
    end(instance)


def test_a_crash_is_told_and_not_undone(instance: Instance) -> None:
    os.kill(instance.main_pid(), signal.SIGKILL)
    assert instance.next_line() == "vagus-search.service: main process exited with -9\n"
    assert instance.systemctl("is-active", "vagus-search").returncode == 3
    assert instance.systemctl("start", "vagus-search").returncode == 0
    end(instance)


def test_without_an_instance_systemctl_says_so(tmp_path: Path) -> None:
    done = Instance(tmp_path).systemctl("stop", "vagus-search")
    assert done.returncode == 1
    assert "not been booted" in done.stderr


def test_other_units_and_verbs_are_refused(instance: Instance) -> None:
    assert instance.systemctl("stop", "sshd").returncode == 5
    assert instance.systemctl("mask", "vagus-search").returncode == 1
    end(instance)


def test_an_instance_ends_with_whoever_runs_it(tmp_path: Path) -> None:
    made = Instance(tmp_path)
    read, write = os.pipe()
    environment = {**made.environment, "VAGUS_LIFELINE": str(read)}
    command = made.command("enable", "--now", "vagus-search")
    with subprocess.Popen(command, env=environment, pass_fds=[read], stderr=subprocess.DEVNULL) as process:
        until(lambda: (tmp_path / "calls").exists() and made.calls()[-1] == "exec", 10, "started")
        os.close(write)
        assert process.wait(20) == 0
    os.close(read)
