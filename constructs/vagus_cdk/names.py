"""Names that two sides agree on: stacks, functions, the command line, the local stack. Changing one replaces it.

Everything stateful or looked up from outside has a name of its own; the rest is named by CloudFormation.
"""

PREFIX = "vagus"


def cell_stack(cell: str) -> str:
    """The stack of a cell: functions, state machines, tables, keys, endpoints."""
    return f"{PREFIX}-{cell}"


def cluster_stack(cell: str, cluster: str) -> str:
    """The stack of one cluster: groups, roles, documents, parameters, bucket, secrets."""
    return f"{PREFIX}-{cell}-{cluster}"


def of_cell(cell: str, what: str) -> str:
    """A function, rule, queue, topic or state machine of a cell, such as `vagus-prod-sweep`."""
    return f"{PREFIX}-{cell}-{what}"


def state_table(cell: str) -> str:
    """Rows of heads, intents, leases, plans."""
    return of_cell(cell, "state")


def record_table(cell: str) -> str:
    """Records of writes: intended before, outcome after."""
    return of_cell(cell, "records")


def client_secret(cluster: str, role: str) -> str:
    """The client certificate of the functions that read (`read`) or write (`write`)."""
    return f"{PREFIX}/{cluster}/{role}"


def authority_alias(cell: str, cluster: str, slot: str) -> str:
    """The key of a cluster's authority, in one of its two slots."""
    return f"alias/{PREFIX}/{cell}/{cluster}/authority-{slot}"


def requests_rule(cluster: str) -> str:
    """The rule that hands a cluster's requests for certificates to that function."""
    return f"{PREFIX}-{cluster}-requests"


def site_profile(cell: str, cluster: str) -> str:
    """The profile of IAM Roles Anywhere by which a site's agent gets its role."""
    return f"{PREFIX}-{cell}-{cluster}"


def issuing(cell: str) -> str:
    """The function that answers nodes' requests for certificates."""
    return of_cell(cell, "certificates-issue")


def node_parameter(cluster: str, name: str) -> str:
    """What a booting node asks for (`nodes/boot.sh`)."""
    return f"/{PREFIX}/{cluster}/node/{name}"


def document(cluster: str, name: str) -> str:
    """An SSM document of `nodes/documents`, as a cluster has it."""
    return f"{PREFIX}-{cluster}-{name}"
