"""cdk-nag's HIPAA.Security pack: nothing found that is neither fixed nor acknowledged with a reason."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from tests.infrastructure.conftest import CONTEXT
from tests.infrastructure.templates import Templates, walk

from vagus_cdk.acknowledged import PACK, REASONS
from vagus_cdk.assembly import build


def rules(report: Path) -> set[str]:
    """Names of the pack's rules in a validation report, without the pack's."""
    found = (one.get("ruleName") for one in walk(json.loads(report.read_text())) if isinstance(one, dict))
    return {name.removeprefix(f"{PACK}-") for name in found if isinstance(name, str) and name.startswith(PACK)}


def test_nothing_is_found(templates: Templates) -> None:
    assert rules(templates.folder / "validation-report.json") == set()


def test_the_pack_bites_and_every_acknowledgement_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same synth without acknowledgements finds exactly what REASONS has: no rule went stale, the pack does run."""

    def nothing(_self: cdk.Validations, *_acknowledgments: Any) -> None:
        return None

    monkeypatch.setattr(cdk.Validations, "acknowledge", nothing)
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        build(cdk.App(context=CONTEXT, outdir=str(tmp_path))).synth()
    assert rules(tmp_path / "validation-report.json") == set(REASONS)


def test_reasons_are_sentences() -> None:
    assert all(len(reason.split()) >= 12 and reason.endswith(".") for reason in REASONS.values())
