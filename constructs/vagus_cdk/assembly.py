"""The whole app: stacks, and the checks that run with every synth."""

import aws_cdk as cdk
from cdk_nag import HIPAASecurityChecks

from vagus_cdk import settings
from vagus_cdk.cell_stack import CellStack
from vagus_cdk.cluster_stack import ClusterStack
from vagus_cdk.site_stack import SiteStack

CONTEXT = ("account", "architecture", "cell", "fleet", "image", "operators", "synthesizer", "vpc", "xray")


def build(app: cdk.App) -> cdk.App:
    """Fill the app from its context. Raises `SettingsError`, or the fleet's error."""
    said = settings.read({name: app.node.try_get_context(name) for name in CONTEXT})
    cdk.Tags.of(app).add("vagus:cell", said.cell)
    environment = cdk.Environment(account=said.account, region=said.region)
    cell = CellStack(
        app,
        said,
        env=environment,
        termination_protection=True,
        synthesizer=_synthesizer(said),
        description=f"Vagus, cell {said.cell}",
    )
    for spec in said.clusters.values():
        made = ClusterStack if spec.reached else SiteStack
        made(
            app,
            cell,
            spec,
            env=environment,
            termination_protection=True,
            synthesizer=_synthesizer(said),
            description=f"Vagus, cell {said.cell}, cluster {spec.name}",
        )
    cdk.Validations.of(app).add_plugins(HIPAASecurityChecks(app))
    return app


def _synthesizer(said: settings.Settings) -> cdk.IStackSynthesizer | None:
    return cdk.CliCredentialsStackSynthesizer() if said.cli_credentials else None
