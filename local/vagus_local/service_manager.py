"""Plays systemd for one local instance and one service: `vagus-search`, as nodes/vagus-search.service declares it.

`systemctl enable --now` stays in the foreground and owns the service, so that the search process is a child of the boot
script and lies in the instance's process group; every other `systemctl` of that instance (an SSM document's, for
instance) asks it over a socket in INSTANCE_HOME. It does not restart a service that failed: on AWS systemd does.
Run with the standard library alone: it starts once per instance and per command.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
from pathlib import Path

SERVICE = "vagus-search"
UNIT = f"{SERVICE}.service"  # as `systemctl link` leaves it; its boot.sh lies beside it
LIFELINE = "VAGUS_LIFELINE"  # number of an open pipe: its other end closes when whoever runs the instance is gone
SOCKET = "service-manager.sock"  # relative: a socket's path may have 107 characters only
LOG = "boot.log"  # what systemd's journal would have
STOP_SECONDS = 10
ANSWER_SECONDS = 1200  # as TimeoutStartSec


class Service:
    """The one service: its boot script, and its process while it runs."""

    def __init__(self, boot: str) -> None:
        self.boot = boot
        self.process: subprocess.Popen[bytes] | None = None

    def active(self) -> bool:
        """True while the search process runs."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> tuple[int, str]:
        """ExecStartPre, then ExecStart. Answers systemctl's exit code and text."""
        if self.active():
            return 0, ""
        prepared = subprocess.run([self.boot, "prepare"], check=False)
        if prepared.returncode:
            return 1, f"Job for {SERVICE}.service failed: prepare exited with {prepared.returncode}"
        self.process = subprocess.Popen([self.boot, "exec"])
        _tell(f"Started {SERVICE}.service")
        return 0, ""

    def stop(self) -> tuple[int, str]:
        """SIGTERM, and SIGKILL for what does not go."""
        if self.process is not None and self.active():
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        return 0, ""

    def notice_end(self) -> None:
        """Says so when the search process ended without being asked."""
        if self.process is not None and not self.active():
            _tell(f"{SERVICE}.service: main process exited with {self.process.returncode}")
            self.process = None

    def restart(self) -> tuple[int, str]:
        """Stop, then start."""
        self.stop()
        return self.start()

    def answer(self, verb: str) -> tuple[int, str]:
        """Exit code and text of one verb."""
        if verb == "is-active":
            return (0, "active") if self.active() else (3, "inactive")
        if verb == "main-pid":
            return 0, str(self.process.pid if self.process is not None and self.active() else 0)
        return {"start": self.start, "stop": self.stop, "restart": self.restart}[verb]()


def supervise(service: Service) -> int:
    """Starts the service and answers until SIGTERM. Returns this process's exit code."""
    woken, wake = socket.socketpair()
    woken.setblocking(False)
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(SOCKET)
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector:
        os.umask(0o077)
        listener.bind(SOCKET)
        listener.listen()
        selector.register(listener, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        if LIFELINE in os.environ:
            selector.register(int(os.environ[LIFELINE]), selectors.EVENT_READ)
        try:
            _tell(service.start()[1])
            while True:
                _serve(service, listener, woken, selector)
        finally:
            service.stop()
            os.unlink(SOCKET)


def _end(*_: object) -> None:
    raise SystemExit(0)


def _tell(text: str) -> None:
    if text:
        print(text, file=sys.stderr, flush=True)


def _serve(
    service: Service, listener: socket.socket, woken: socket.socket, selector: selectors.DefaultSelector
) -> None:
    for key, _ in selector.select():
        if key.fileobj is woken:
            woken.recv(4096)
            service.notice_end()
            continue
        if key.fileobj is not listener:  # the lifeline was cut
            raise SystemExit(0)
        connection, _address = listener.accept()
        with connection:
            code, text = service.answer(connection.makefile("r").readline().strip())
            with contextlib.suppress(BrokenPipeError):  # who asked may have gone
                connection.sendall(f"{code} {text}\n".encode())


def ask(verb: str, *, quiet: bool = False) -> int:
    """Has the instance's service manager do something; prints its text, returns its code."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        try:
            connection.connect(SOCKET)
        except (FileNotFoundError, ConnectionRefusedError):
            print("System has not been booted: no service manager runs for this instance", file=sys.stderr)
            return 1
        connection.sendall(f"{verb}\n".encode())
        code, _, text = connection.makefile("r").readline().rstrip("\n").partition(" ")
    if text and not quiet:
        print(text)
    return int(code or 1)


def main(arguments: list[str]) -> int:
    """systemctl link UNIT | enable --now | start | stop | restart | is-active | status -n N |
    show --property=MainPID --value"""
    os.chdir(os.environ["INSTANCE_HOME"])
    words = [a for a in arguments if not a.startswith("-") and not a.isdecimal()]
    verb, units = words[0], [w.removesuffix(".service") for w in words[1:]]
    if verb == "link":
        Path(UNIT).unlink(missing_ok=True)
        Path(UNIT).symlink_to(Path(words[1]).resolve(strict=True))
        return 0
    if units != [SERVICE]:
        print(f"Unit {' '.join(units)} not found: this stand-in knows {SERVICE} alone", file=sys.stderr)
        return 5
    if verb == "enable" and "--now" in arguments:
        return supervise(Service(str(Path(UNIT).resolve(strict=True).with_name("boot.sh"))))
    if verb == "status":
        lines = int(arguments[arguments.index("-n") + 1])
        print("\n".join(Path(LOG).read_text(errors="replace").splitlines()[-lines:]))
        return ask("is-active", quiet=True)
    if verb == "show" and "--property=MainPID" in arguments:
        return ask("main-pid")
    if verb in ("start", "stop", "restart", "is-active"):
        return ask(verb, quiet="--quiet" in arguments)
    print(f"Unknown command verb {' '.join(arguments)}: not part of this stand-in", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
