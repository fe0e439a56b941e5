"""Which cases Hypothesis draws: new ones at each run of a developer, the same ones for the same commit in `.ci/run`."""

import os

from hypothesis import settings

if profile := os.environ.get("HYPOTHESIS_PROFILE"):
    settings.load_profile(profile)
