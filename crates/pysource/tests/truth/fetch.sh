#!/bin/sh
# Makes the environment that the truth comes from, and the truth about the documentation examples of FastAPI and
# SQLModel, all under target/truth. Run once; `--projects` then writes tests/truth/projects.json afresh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../.." && pwd)
truth="$root/target/truth"
python="$truth/venv/bin/python"

if [ ! -f "$truth/ready" ]; then
    mkdir -p "$truth/sdist"
    "${PYTHON:-python3}" -m venv "$truth/venv"
    "$python" -m pip install -q -r "$here/requirements.txt" \
        aiofiles a2wsgi email-validator httpx itsdangerous jinja2 pdm-backend pwdlib[argon2] pydantic-extra-types \
        pyjwt python-multipart pyyaml
    for name in fastapi sqlmodel; do
        pinned=$(grep "^$name==" "$here/requirements.txt")
        "$python" -m pip download -q --no-deps --no-binary "$name" --no-build-isolation -d "$truth/sdist" "$pinned"
        tar -xzf "$truth/sdist/$name-${pinned#*==}.tar.gz" -C "$truth/sdist"
        rm -rf "$truth/sdist/$name"
        mv "$truth/sdist/$name-${pinned#*==}" "$truth/sdist/$name"
        "$python" "$here/truth.py" examples "$truth/sdist/$name" >"$truth/$name.json"
    done
    touch "$truth/ready"
fi
if [ "${1:-}" = --projects ]; then
    "$python" "$here/truth.py" projects "$here"/../projects/*.txt >"$here/projects.json"
fi
