"""What a person does about a reason: shown by `vagus plan`, and in `docs/reasons.md`. Nothing is said where nothing
is to be done."""

from collections.abc import Mapping

from vagus.reasons import Reason

WAYS_OUT: Mapping[Reason, str] = {
    Reason.STALLED: "Read the deciders' words in the message: free disk on the nodes named there, add nodes, or lift "
    "the allocation filter that stands against the move. The drain then goes on by itself.",
    Reason.REPLACEMENT_AWAITED: "If it lasts, see why the group launches nothing: its scaling activities name the "
    "cause (capacity, quota, a failed check of the boot script).",
    Reason.LAUNCHING: "If a person is told, the node has not joined for half an hour (its boot log says which check "
    "failed) or the cluster is not green an hour after (see what it says of the copies that are named).",
    Reason.LEASE_HELD: "None, unless it lasts: then see in the console what the holder named in the message does.",
    Reason.UNREACHABLE: "Look whether the nodes run, whether their certificate is valid, and whether the functions' "
    "security group may reach port 9200. Waiting instances are kept meanwhile.",
    Reason.FORMING: "If it lasts, read the boot log of the managers: more than half of them have to join.",
    Reason.TRUST_AWAITED: "If it lasts, see what `vagus plan CLUSTER` says under certificates: in mode `observe` no "
    "authority is made, in mode `approve` it waits for your approval.",
    Reason.OBSERVING: "Set `mode: approve` (or `act`) in the fleet file and deploy, once the plans shown are what "
    "you want.",
    Reason.CANNOT_SEE_ALL: "Give the read role the missing privilege on all indices, hidden ones included.",
    Reason.LAUNCHES_FAIL: "Put right what the message names (capacity, quota, the volume key's grant, the launch "
    "template, a failed check of the boot script), then `vagus resume CLUSTER`; else it is tried again by itself.",
    Reason.WRONG_CLUSTER: "Stop, and find out which cluster answers: a second one has formed under this name, or "
    "its nodes are tagged wrongly. Nothing is written to it.",
    Reason.REMOVED_BY_HAND: "Set the exclusion (or what the message names) again by hand, and it goes on. An instance "
    "is kept until then; a terminate hook can be outlived, not taken back.",
    Reason.ENGINE_DISAGREES: "Compare the moves in the records with the engine's own: a plugin, another tool or a "
    "setting that we don't model moves shards. Set `zone_balance.shards.mode: off`, or wait: it is tried again after "
    "a day.",
    Reason.NO_ROOM: "Add data nodes, or free disk, in the zones that stay.",
    Reason.VOTE_LEAVING: "Start the managers that are away: the engine keeps a vote that it can't do without. The "
    "instance is kept until then.",
    Reason.SNAPSHOT_RUNNING: "None while one runs. If a person is told, the snapshots can't be listed: see whether "
    "each repository answers, or remove one that is gone for good; or `vagus abort CLUSTER`.",
    Reason.QUORUM: "Wait until the managers that are away are back, or start them; managers leave one at a time.",
    Reason.VOTES_EXCLUDED: "Find out who excluded the nodes named (another tool, a decommission under way). When that "
    "is over, clear it: `DELETE /_cluster/voting_config_exclusions`, which clears ours as well; a manager that still "
    "waits has its vote taken again.",
    Reason.DETACHED: "Attach the instance to its group again (`aws autoscaling attach-instances`), or exclude its node "
    "from allocation, wait until it is empty, and end it. Until then it serves on, and nothing of ours touches it.",
    Reason.RETIRING: "Where it pages: give the group its terminate hook and retention, return the instance from "
    "standby, or bring the cluster to green; else drain the instance by hand before the date in the message.",
    Reason.SIZE_OUT_OF_BOUNDS: "Somebody changed the group's MinSize or MaxSize: deploy its cluster's stack, which "
    "gives them back, or declare a size that fits.",
    Reason.NOWHERE_TO_GO: "Add a node where the shards may legally go (same zone, not holding the same shard), or "
    "set `nowhere_to_go: one_zone_at_a_time` in the fleet file.",
    Reason.CLUSTER_RED: "Bring the primaries named back: start the node that holds them, or restore them from a "
    "snapshot. Nothing is let go until then.",
    Reason.LOST_WITH_DATA: "Start the node again on its volume; where its instance is gone, the volume is among the "
    "available ones with the tag that the message names. Only if its data is given up, or restored from a snapshot, "
    "let the instance go by hand. Delete indices last, and only if the allocation explanation says "
    "`no_valid_shard_copy`.",
    Reason.NO_ROOM_FOR_REPLICAS: "Add nodes, or larger disks, to the zone that came, or set `zone_balance.replicas` to "
    "`kept` and give each index the replicas that you want.",
    Reason.ZONE_CANT_LEAVE: "Give the indices named in the message fewer replicas (one copy for each zone that stays, "
    "at most), or take the zone out of `zones_leaving`. Nothing of it has been let go.",
    Reason.ZONE_UNDECLARED: "Put the zone back into `zones`, and into `zones_leaving`, and deploy: it is then drained "
    "node by node. Nothing was deleted: groups are retained.",
    Reason.ZONES_BY_HAND: "Set `cluster.routing.allocation.awareness.force.zone.values` as the message says, or "
    "remove it by hand: Vagus then sets it, and gives it back once every node's own configuration agrees.",
    Reason.TOO_MANY_FAILURES: "The message has the last error: put its cause right. The run looks again each minute "
    "while an instance waits.",
    Reason.DENIED: "Give the function or the certificate's role the permission that the message names: deploy, if it "
    "is one of ours; else see which policy of the account or the key denies it.",
    Reason.PAUSED: "`vagus resume CLUSTER`, once the cause of the stop is gone. Until then the keeper goes on, and "
    "what is set on the cluster stays.",
    Reason.AGENT_AWAITED: "The agent, its way to S3 or its API server is away, or its clock is wrong: the agent's log "
    "says which, by the command that the message has, and whether its own certificate has ended. Pods serve on with "
    "the certificates that they have: `vagus certificates CLUSTER` says until when.",
    Reason.NODES_SILENT: "Start the node that is named, or let its instance go; of a pod see by the message's commands "
    "why it does not start. Until then the old authority stays trusted, and nothing is lost.",
    Reason.CLIENTS_TO_TRUST: "Give the client the bundle (`vagus certificates CLUSTER --bundle`), then "
    "`vagus acknowledge CLUSTER CLIENT`. Until then the old authority signs.",
    Reason.CLIENTS_TO_RENEW: "Where the client shows a certificate: a new key and request, `vagus certify CLUSTER "
    "CLIENT --request FILE`, and have it installed. Then `vagus acknowledge CLUSTER CLIENT --renewed`. Until then both "
    "authorities are trusted.",
    Reason.CERTIFIED_BY_OTHERS: "Say `certificates: {issuer: own}` in the fleet file and deploy: until then nodes that "
    "are new get no certificate. Vagus issues for clusters that are new.",
    Reason.NODE_NOT_RENEWED: "Read what the node said, and its boot.log: it may not reach the artifact bucket, or its "
    "request was refused (`vagus records tail CLUSTER`). It serves on until its certificate ends.",
    Reason.GATEWAY_NOT_RENEWED: "The message has ACM's words, or ours. Put the cause right; it is tried again every "
    "ten minutes. An ARN whose key is not EC P-256 takes no such certificate: import one that is under a new ARN, "
    "declare that, and have the gateway use it.",
    Reason.GATEWAY_NOT_SERVED: "See that the gateway uses the ARN that is declared, and that Vagus's functions reach "
    "its endpoint. It shows the certificate of before meanwhile, and the old authority stays trusted.",
    Reason.APPROVAL_NEEDED: "Read the steps, then `vagus approve CLUSTER`, or do nothing: the instance is kept.",
    Reason.RECOVERING: "See in `_cluster/allocation/explain` what keeps the shards named.",
    Reason.ONLY_COPY: "Give the index named a replica; or, if it may be away for a minute, abort and ask again with "
    "`--unavailable INDEX`.",
    Reason.OUTSIDE_GROUPS: "Restart the nodes named by hand, with what is wanted; or adopt their instances into a "
    "group (`vagus adopt`). The others are done before it.",
    Reason.NOT_STAGED: "Put right what the message says: the archive, its SHA-256, a JDK on the node, or its SSM "
    "agent. It is tried again within half an hour; `vagus abort CLUSTER` and `vagus upgrade CLUSTER` try at once.",
    Reason.NODE_NOT_BACK: "Read the message, then the node's log. Restart its service, or have its instance replaced "
    "(the message has the command): the rest goes on by itself. `vagus abort CLUSTER` leaves the rest as it is.",
    Reason.NOT_REPLACEABLE: "Do what the message says (a hook, a protection, a standby, a suspended process, "
    "zone_balance's mode), and it goes on; or `vagus abort CLUSTER`. Those that nothing stands against go before it.",
    Reason.NODE_AWAY: "If a person is told: start the node that is named, or have its instance replaced with the "
    "command that the message has.",
    Reason.NOT_RESTARTED: "See whether the SSM agent of the instance answers (`vagus doctor`), and what the command "
    "said; or have the instance replaced with the command that the message has.",
    Reason.VERSION_PATH: "Set a version in the fleet file that can be reached, and deploy.",
    Reason.INDEX_TOO_OLD: "Reindex what the message names into new indices, or delete it.",
    Reason.ARCHIVED_SETTINGS: "Set them to null, as the message says.",
    Reason.NO_FRESH_SNAPSHOT: "Take a snapshot; or abort, and ask again with `--without-snapshot`.",
}
