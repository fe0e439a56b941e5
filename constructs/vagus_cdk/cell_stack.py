"""The stack of a cell. It composes, and decides nothing."""

from collections.abc import Sequence

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from vagus import events
from vagus.rooms import ROOMS
from vagus_cdk import certificates, names, scheduled
from vagus_cdk.alarms import Alarms
from vagus_cdk.cell import Cell
from vagus_cdk.dashboard import Dashboard
from vagus_cdk.grants import Scope
from vagus_cdk.intake import Intake
from vagus_cdk.keys import Keys
from vagus_cdk.layers import Layers
from vagus_cdk.network import Network
from vagus_cdk.procedure import Procedure
from vagus_cdk.queue import dead_letter_queue
from vagus_cdk.settings import Settings
from vagus_cdk.tables import Tables


class CellStack(Stack):
    """Account, Region and VPC: what all its clusters share."""

    def __init__(self, scope: Construct, settings: Settings, **options: object) -> None:
        self._zones = list(settings.zones)
        super().__init__(scope, names.cell_stack(settings.cell), **options)  # type: ignore[arg-type]  # passed on as given
        self.cell = self._shared(settings)
        calls = dead_letter_queue(self, "CallsDead", self.cell, "calls-dead")
        self.intake = Intake(self, "Intake", self.cell, events.SOURCES, events.DETAILS)
        self.sweep = scheduled.sweep(self, self.cell, calls)
        self.cluster_watch = scheduled.cluster_watch(self, self.cell, calls)
        self.keeper = scheduled.keeper(self, self.cell, calls)
        self.procedures = {
            name: Procedure(self, name, self.cell, name, room.kinds, calls) for name, room in ROOMS.items()
        }
        self.calls_dead = calls
        certified = bool(settings.certified)
        self.issuing = certificates.issuing(self, self.cell, self.cell.keys.nodes, calls) if certified else None
        self._watch(calls)
        self._outputs()

    @property
    def availability_zones(self) -> list[str]:
        """Those of the fleet's files: no look-up, so that a synth needs no credentials."""
        return self._zones

    def _shared(self, settings: Settings) -> Cell:
        keys = Keys(self, "Keys", settings.cell)
        tables = Tables(self, "Tables", settings.cell, keys.rows)
        topic = sns.Topic(
            self,
            "People",
            topic_name=names.of_cell(settings.cell, "people"),
            display_name=f"Vagus {settings.cell}",
            master_key=keys.messages,
            enforce_ssl=True,
        )
        return Cell(
            settings=settings,
            keys=keys,
            network=Network(self, "Network", settings, keys.logs),
            tables=tables,
            topic=topic,
            layers=Layers(self, "Layers", settings),
            scope=self._scope(settings, keys, tables, topic),
        )

    def _scope(self, settings: Settings, keys: Keys, tables: Tables, topic: sns.Topic) -> Scope:
        return Scope(
            partition=self.partition,
            region=self.region,
            account=self.account,
            cell=settings.cell,
            clusters=tuple(one for one in settings.clusters if one not in settings.sites),
            certified=tuple(one for one in settings.certified if one not in settings.sites),
            sites=settings.sites,
            nodes_key=keys.nodes.key_arn,
            private_cas=settings.private_cas,
            gateways=settings.gateways,
            capabilities=tuple(ROOMS),
            topic=topic.topic_arn,
            state_table=tables.state.table_arn,
            record_table=tables.records.table_arn,
            state_key=keys.rows.key_arn,
            secrets_key=keys.secrets.key_arn,
            messages_key=keys.messages.key_arn,
        )

    def _watch(self, calls: sqs.IQueue) -> None:
        alarms = Alarms(self, "Alarms", self.cell)
        alarms.watch_schedule(
            "keeper", self.keeper.function, "waiting instances are not kept waiting: act within the hour"
        )
        alarms.watch_schedule(
            "sweep", self.sweep.function, "lost events are not found, and no figure of a cluster comes"
        )
        alarms.watch_schedule(
            "cluster-watch", self.cluster_watch.function, "nobody is told what changes in the clusters"
        )
        for name, procedure in self.procedures.items():
            alarms.watch_machine(name, procedure.machine)
        alarms.watch_all(self, [self.keeper.function, self.sweep.function, self.cluster_watch.function])
        functions = {
            "keeper": self.keeper.function,
            "sweep": self.sweep.function,
            "cluster watch": self.cluster_watch.function,
            "intake": self.intake.function.function,
            **({"certificates issue": self.issuing.function} if self.issuing else {}),
            **{
                f"{name} {verb}": made.function
                for name, one in self.procedures.items()
                for verb, made in one.functions()
            },
        }
        machines = {name: one.machine for name, one in self.procedures.items()}
        queues = {"events": self.intake.queue, "dead events": self.intake.dead_letters, "dead calls": calls}
        Dashboard(self, "Dashboard", self.cell, machines, functions, queues)

    def _outputs(self) -> None:
        CfnOutput(
            self, "PeopleTopic", value=self.cell.topic.topic_arn, description="Subscribe those who are to be called"
        )
        CfnOutput(self, "StateTable", value=self.cell.tables.state.table_name)
        CfnOutput(self, "RecordTable", value=self.cell.tables.records.table_name)

    def readers(self) -> Sequence[str]:
        """ARNs of the roles that may read a cluster's read certificate."""
        scheduled_readers = [self.sweep.role.role_arn, self.cluster_watch.role.role_arn]
        return [*scheduled_readers, *(one.decide.role.role_arn for one in self.procedures.values())]

    def writers(self) -> Sequence[str]:
        """ARNs of the roles that may read a cluster's write certificate."""
        return [one.apply.role.role_arn for one in self.procedures.values()]
