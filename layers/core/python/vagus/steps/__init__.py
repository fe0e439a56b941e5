"""The one vocabulary of steps: everything that Vagus may ever do to AWS or to a cluster.

From a step's class are derived its state in the state machine (`title`), the role of the function that does it
(`aws`), the cluster role (`search`), and the sentence of a dry run (`sentence`). A step is *protective* (it can only
keep data or give back what is ours) or *disturbing* (held back by stop, pause and approval). A protective
one that touches nothing but what is ours is done `in_every_mode`. Doing a step twice is harmless.

The files beside this one hold them, each by what its steps are done to. `AnyStep` is the list of all.
"""

from vagus.steps.base import Grant, Resource, Step, kind
from vagus.steps.frame import EndRun, HandOver, NoteIdentity, NoteVersion
from vagus.steps.groups import EndRetainedInstance, ReplaceInstance, ResumeLaunching, SetGroupSize, SuspendLaunching
from vagus.steps.hooks import (
    AbandonLaunch,
    ContinueLaunch,
    Heartbeat,
    HoldInstance,
    LetEmptyInstanceGo,
    LetLostInstanceGo,
    LetReplaceableInstanceGo,
    NoteJoined,
)
from vagus.steps.replacing import ReplaceNext
from vagus.steps.restarts import (
    AllowAllocation,
    BringVersion,
    KeepReplicas,
    LeadSearchesBack,
    Process,
    RestartNodes,
    StageEngine,
)
from vagus.steps.settings import ExcludeNodes, ForceZones, PutSettingsRight, RaiseBalanceThreshold
from vagus.steps.shards import MoveShards, NoteDeparture, SaveLastCopies, SetReplicas
from vagus.steps.trust import (
    SIGNS,
    DropAuthority,
    ImportCertificate,
    InstallTrust,
    IssueClientCertificate,
    MakeAuthority,
    PublishTrust,
    RenewLeaves,
    SignWith,
)
from vagus.steps.votes import GiveVotesBack, TakeVote

__all__ = [
    "FRAME",
    "SIGNS",
    "AbandonLaunch",
    "AllowAllocation",
    "AnyStep",
    "BringVersion",
    "ContinueLaunch",
    "DropAuthority",
    "EndRetainedInstance",
    "EndRun",
    "ExcludeNodes",
    "ForceZones",
    "GiveVotesBack",
    "Grant",
    "HandOver",
    "Heartbeat",
    "HoldInstance",
    "ImportCertificate",
    "InstallTrust",
    "IssueClientCertificate",
    "KeepReplicas",
    "LeadSearchesBack",
    "LetEmptyInstanceGo",
    "LetLostInstanceGo",
    "LetReplaceableInstanceGo",
    "MakeAuthority",
    "MoveShards",
    "NoteDeparture",
    "NoteIdentity",
    "NoteJoined",
    "NoteVersion",
    "Process",
    "PublishTrust",
    "PutSettingsRight",
    "RaiseBalanceThreshold",
    "RenewLeaves",
    "ReplaceInstance",
    "ReplaceNext",
    "Resource",
    "RestartNodes",
    "ResumeLaunching",
    "SaveLastCopies",
    "SetGroupSize",
    "SetReplicas",
    "SignWith",
    "StageEngine",
    "Step",
    "SuspendLaunching",
    "TakeVote",
    "kind",
]

AnyStep = (
    ExcludeNodes
    | PutSettingsRight
    | ForceZones
    | RaiseBalanceThreshold
    | MoveShards
    | SetReplicas
    | TakeVote
    | GiveVotesBack
    | SaveLastCopies
    | ReplaceInstance
    | NoteDeparture
    | LetEmptyInstanceGo
    | LetLostInstanceGo
    | LetReplaceableInstanceGo
    | HoldInstance
    | EndRetainedInstance
    | ContinueLaunch
    | NoteJoined
    | AbandonLaunch
    | SuspendLaunching
    | ResumeLaunching
    | SetGroupSize
    | Heartbeat
    | StageEngine
    | BringVersion
    | KeepReplicas
    | RestartNodes
    | LeadSearchesBack
    | AllowAllocation
    | ReplaceNext
    | MakeAuthority
    | PublishTrust
    | IssueClientCertificate
    | InstallTrust
    | RenewLeaves
    | ImportCertificate
    | SignWith
    | DropAuthority
    | NoteIdentity
    | NoteVersion
    | HandOver
    | EndRun
)
"""Every kind there is; what a row or a message is decoded with."""

FRAME: tuple[type[Step], ...] = (NoteIdentity, HandOver, EndRun)
"""Kinds that every procedure has."""
