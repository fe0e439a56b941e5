"""What the constructs of a cell share: its settings, network, keys, tables, topic, layers, and where roles live."""

from dataclasses import dataclass

from aws_cdk import aws_sns as sns

from vagus_cdk import names
from vagus_cdk.grants import Scope
from vagus_cdk.keys import Keys
from vagus_cdk.layers import Layers
from vagus_cdk.network import Network
from vagus_cdk.settings import Settings
from vagus_cdk.tables import Tables


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell's shared parts."""

    settings: Settings
    keys: Keys
    network: Network
    tables: Tables
    topic: sns.Topic
    layers: Layers
    scope: Scope

    def name(self, what: str) -> str:
        """The name of something in this cell."""
        return names.of_cell(self.settings.cell, what)
