"""CDK entry: a stack for the cell, one for each of its clusters. Context: see `vagus_cdk.settings`."""

import sys

import aws_cdk as cdk

from vagus_cdk.assembly import build
from vagus_cdk.settings import SettingsError
from vagus_cli.fleet_files import FleetFaulty

if __name__ == "__main__":
    try:
        build(cdk.App()).synth()
    except (FleetFaulty, SettingsError) as error:
        sys.exit(f"vagus: {error}")
