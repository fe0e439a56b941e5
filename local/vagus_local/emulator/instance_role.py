"""The credentials that an instance finds on itself: a session of its profile's role."""

import logging

from botocore.exceptions import ClientError
from ministack.services import iam, sts

from vagus_local.emulator.seams import call

_LOG = logging.getLogger("vagus.instances")


def credentials(instance: str, profile: str | None) -> dict[str, str]:
    """AWS_ACCESS_KEY_ID, ..._SECRET_..., AWS_SESSION_TOKEN; nothing without a profile whose role exists, as on AWS."""
    record = iam._lookup_instance_profile(name="", arn=profile) if profile else None
    roles = (record or {}).get("Roles") or []
    if not roles:
        return {}
    name = roles[0] if isinstance(roles[0], str) else roles[0]["RoleName"]
    try:
        role = call("iam", "get_role", RoleName=name)["Role"]["Arn"]
        made = call("sts", "assume_role", RoleArn=role, RoleSessionName=instance)["Credentials"]
    except ClientError as error:
        _LOG.warning("%s has no credentials: %s", instance, error)
        return {}
    # IMDS renews them for ever; here they do not end
    sts._sessions[made["AccessKeyId"]].pop("Expiration", None)
    return {
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        "AWS_SESSION_TOKEN": made["SessionToken"],
    }
