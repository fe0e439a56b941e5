"""What differs between engines, in one place: OpenSearch 2.19 and 3.x speak alike, Elasticsearch 7.17 says master."""

import msgspec

from vagus.fleet import Engine


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """`manager`: metric and field of the elected manager in the cluster's state; `manager_timeout`: the parameter
    that bounds how long a request may wait in the manager's queue; `weighted`: whether zones can have weights."""

    manager: str
    manager_timeout: str
    weighted: bool


OPENSEARCH = Dialect(manager="cluster_manager_node", manager_timeout="cluster_manager_timeout", weighted=True)
ELASTICSEARCH = Dialect(manager="master_node", manager_timeout="master_timeout", weighted=False)


def dialect(engine: Engine) -> Dialect:
    """How that engine is spoken to."""
    return ELASTICSEARCH if engine.name == "elasticsearch" else OPENSEARCH
