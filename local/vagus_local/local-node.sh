# shellcheck shell=bash
# Sourced: where a local node finds what an AWS image would bring. Whoever starts the instance may say otherwise.
export VAGUS_PYTHON="${VAGUS_PYTHON:-$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../.venv/bin/python}"
export VAGUS_ENGINES="${VAGUS_ENGINES:-${VAGUS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vagus}/engines}"
