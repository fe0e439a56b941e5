"""What can go wrong, as a tree. The left branch may be tried again, the right one needs a change first.

VagusError
├── Transient                 look again later
│   ├── Unreachable           no node, or no AWS endpoint, answered in time; the outcome of a write is unknown
│   │   └── AgentAwaited      a site's agent has told nothing fresh
│   ├── Throttled             AWS or the engine asked us to slow down
│   └── Conflict              somebody else wrote first; nothing of ours was written
└── Permanent                 a person, or a deploy, has to change something
    ├── Denied                a permission is missing; `action` names it
    ├── Refused               the engine or AWS says the request itself is wrong
    └── Malformed             an event, a row or a file that can't be read; names where and what
"""


class VagusError(Exception):
    """Anything that Vagus raises on purpose."""


class Transient(VagusError):
    """May succeed when tried again after a fresh look."""


class Unreachable(Transient):
    """Nobody answered in time. A write may or may not have happened."""


class AgentAwaited(Unreachable):
    """The agent of a cluster on Kubernetes has told nothing that counts. `last`: the handshakes that it told of last,
    for people alone."""

    def __init__(self, message: str, last: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.last = last


class Throttled(Transient):
    """The other side asked us to slow down."""


class Conflict(Transient):
    """A compare-and-set lost: nothing was written."""


class Permanent(VagusError):
    """Trying again can't help."""


class Denied(Permanent):
    """A permission is missing."""

    def __init__(self, action: str, message: str) -> None:
        super().__init__(f"{action}: {message}")
        self.action = action


class Refused(Permanent):
    """The request itself was wrong; nothing was changed."""


class Malformed(Permanent):
    """Something that can't be read: the message names the source, the field and the way out."""
