"""Puts every extension in place, in an order that matters only where said."""

import ministack.app as app

from vagus_local.emulator import admin, cloudformation, dynamodb, eventbridge, functions, seams, ssm, stepfunctions


def install() -> None:
    """Raise SeamError when this ministack is not the one the extensions were made for."""
    seams.check_version()
    functions.install()
    cloudformation.install()
    eventbridge.install()
    stepfunctions.install()
    dynamodb.install()
    ssm.install()
    admin.install()


def serve() -> None:
    """Listen until SIGTERM or SIGINT."""
    app.main()
