"""One synth for all tests: the production example with issuer kms, with cdk-nag. It takes most of the tier's time."""

from pathlib import Path

import aws_cdk as cdk
import pytest
from tests.infrastructure.templates import Templates

from vagus_cdk.assembly import build

CONTEXT = {
    "fleet": "tests/infrastructure/fleet",
    "cell": "prod",
    "operators": "arn:aws:iam::111122223333:role/platform",
    "aws:cdk:enable-path-metadata": True,  # as the CDK CLI does: tests find resources by their construct
}


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    folder = tmp_path_factory.mktemp("assembly")
    build(cdk.App(context=CONTEXT, outdir=str(folder))).synth()
    return Templates.read(Path(folder))
