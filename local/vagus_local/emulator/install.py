"""Puts every extension in place, in an order that matters only where said."""

import os
import uuid
from typing import Any

import ministack.app as app
from ministack.services import autoscaling

from vagus_local.emulator import (
    admin,
    cloudformation,
    counting,
    dynamodb,
    ec2,
    eventbridge,
    functions,
    hypervisor,
    instance_attributes,
    permissions,
    seams,
    ssm,
    stepfunctions,
)
from vagus_local.emulator.addresses import AddressPool
from vagus_local.emulator.autoscaling import actions, model, template
from vagus_local.emulator.undertaker import Undertaker


def install() -> Undertaker:
    """SeamError: not the ministack the extensions were made for. ValueError: a setting is wrong or missing."""
    seams.check_version()
    marker = uuid.uuid4().hex
    host = hypervisor.from_environment(marker)
    network = os.environ.get("VAGUS_NODE_NETWORK")
    functions.install()
    cloudformation.install()
    eventbridge.install()
    stepfunctions.install()
    dynamodb.install()
    ec2.install(host, AddressPool(network) if network else None)
    instance_attributes.install()
    actions.install()
    template.install()
    ssm.install()
    permissions.install()
    admin.install()
    counting.install()
    seams.replace(autoscaling, "reset", _reset(autoscaling.reset))
    return Undertaker(marker)


def _reset(old: Any) -> Any:
    def reset() -> None:
        with model.lock:
            model.groups.clear()
        old()

    return reset


def serve(undertaker: Undertaker) -> None:
    """Listen until SIGTERM or SIGINT; returns when no instance and no function runs any more."""
    try:
        app.main()
    finally:
        undertaker.close()
