#!/bin/sh
# Fetches what the tests and their truth need, into target/truth.
#
#     fetch.sh             the source distributions of FastAPI and SQLModel, whose examples the tests read
#     fetch.sh --validator what checks OpenAPI documents, into target/truth/validator
#     fetch.sh --truth     makes examples.jsonl, projects.json and pydantic_v1.json afresh, in environments that it builds
set -eu
here=$(cd "$(dirname "$0")" && pwd)
truth=$(cd "$here/../../../.." && pwd)/target/truth

pip() {
    if "${PYTHON:-python3}" -m pip --version >/dev/null 2>&1; then
        "${PYTHON:-python3}" -m pip "$@"
    else
        uv tool run pip "$@"
    fi
}

# fetch REQUIREMENT: its source distribution, unpacked; the version is part of the name.
fetch() {
    directory="$truth/sdist/${1%%==*}-${1#*==}"
    [ -f "$directory/PKG-INFO" ] && return
    archives=$(mktemp -d)
    pip download -q --disable-pip-version-check --no-deps --no-binary "${1%%==*}" -d "$archives" "$1"
    tar -xzf "$archives"/*.tar.gz -C "$archives"
    rm -rf "$directory"
    mv "$archives/${1%%==*}-${1#*==}" "$directory"
    rm -r "$archives"
}

if [ "${1:-}" = --validator ]; then
    version=0.9.0
    [ -d "$truth/validator/openapi_spec_validator-$version.dist-info" ] && exit
    new=$(mktemp -d)
    pip install -q --disable-pip-version-check --target "$new" "openapi-spec-validator==$version"
    mkdir -p "$truth"
    rm -rf "$truth/validator"
    mv "$new" "$truth/validator"
    exit
fi

mkdir -p "$truth/sdist"
fastapi=$(grep '^fastapi==' "$here/requirements.txt")
sqlmodel=$(grep '^sqlmodel==' "$here/requirements.txt")
fetch "$fastapi" &
fetch "$sqlmodel"
wait $!

# environment DIRECTORY REQUIREMENTS…: the Python of an environment with these packages.
environment() {
    python="$truth/$1/bin/python"
    [ -x "$python" ] || "${PYTHON:-python3}" -m venv "$truth/$1"
    shift
    "$python" -m pip install -q --disable-pip-version-check "$@" >&2
}

if [ "${1:-}" = --truth ]; then
    environment venv-v1 fastapi==0.110.0 pydantic==1.10.21 email-validator python-multipart
    "$python" "$here/truth.py" projects "$here/../projects/pydantic_v1.txt" >"$here/pydantic_v1.json"
    environment venv -r "$here/requirements.txt"
    "$python" "$here/truth.py" examples "$truth/sdist/fastapi-${fastapi#*==}" "$truth/sdist/sqlmodel-${sqlmodel#*==}" \
        >"$here/examples.jsonl"
    # shellcheck disable=SC2046 # names without spaces
    "$python" "$here/truth.py" projects $(ls "$here"/../projects/*.txt | grep -v pydantic_v1) \
        "$here/../../../../examples/bookshop" >"$here/projects.json"
fi
