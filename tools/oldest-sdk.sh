#!/bin/sh
# Run the host tests with the oldest Pulumi SDK that pyproject.toml allows, in a separate virtual environment.
# PYTHON names the interpreter (default: python3); arguments are passed to pytest.
set -eu
cd "$(dirname "$0")/.."

oldest=$(sed -n 's/^ *"pulumi>=\([0-9.]*\),.*/\1/p' pyproject.toml)
version=$("${PYTHON:-python3}" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
venv=${XDG_CACHE_HOME:-$HOME/.cache}/ecs-pulumi/sdk-$oldest-python-$version

# This script names packages as well.
wanted=$(cat pyproject.toml tools/oldest-sdk.sh | cksum)
if [ "$wanted" != "$(cat "$venv/installed-for" 2>/dev/null)" ]; then
    "${PYTHON:-python3}" -m venv "$venv"
    sed -n '/^dependencies = \[/,/^\]/s/^ *"\(.*\)",$/\1/p' pyproject.toml >"$venv/requirements"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement "$venv/requirements" "pulumi==$oldest" pytest pytest-timeout googleapis-common-protos hypothesis
    echo "$wanted" >"$venv/installed-for"
fi
exec "$venv/bin/python" -m pytest tests/host "$@"
