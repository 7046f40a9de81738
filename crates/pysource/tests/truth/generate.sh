#!/bin/sh
# Makes tests/projects/generators.txt afresh: what generators of FastAPI projects make, their Python files without
# tests and migrations. Those that take a description of an API are given shop.yaml. Needs Java, for openapi-generator.
#
#     generate.sh          then fetch.sh --truth
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(cd "$here/../../../.." && pwd)/target/truth/generators
made="$here/../projects/generators.txt"

# installed PACKAGE VERSION MORE…: an environment of its own.
installed() {
    bin="$work/$1-$2/bin"
    [ -x "$bin/python" ] || "${PYTHON:-python3}" -m venv "$work/$1-$2"
    package="$1==$2"
    shift 2
    "$bin/python" -m pip install -q --disable-pip-version-check "$package" "$@"
    PATH="$bin:$PATH"
}

# keep NAME ENTRYPOINT HOW DIRECTORY: adds what is in a directory; HOW says with what it was made, and its licence.
keep() {
    printf '=== made_by_%s\nentrypoint: %s\n%s\n' "$1" "$2" "$3"
    (cd "$4" && find . -name '*.py' | sed 's|^\./||' | grep -vE '(^|/)(tests?|migrations)/' | LC_ALL=C sort) |
        while read -r file; do
            printf -- '--- %s\n' "$file"
            # What was made last need not end its last line.
            sed -e '$a\' "$4/$file" | grep -v '^#   timestamp:' || true
        done
}

rm -rf "$work/out"
mkdir -p "$work/out"
cd "$work/out"
installed fastapi-code-generator 0.8.1 >&2
fastapi-codegen --input "$here/shop.yaml" --output codegen/shop >&2
fastapi-codegen --input "$here/shop.yaml" --output routers/shop --generate-routers >&2
installed openapi-generator-cli 7.26.0 >&2
openapi-generator-cli generate -g python-fastapi -i "$here/shop.yaml" -o openapi-generator >&2
installed fastapi-template 6.1.2 uv >&2
for users in "" "--add_users --jwt-auth --cookie-auth"; do
    name="template${users:+_users}"
    # shellcheck disable=SC2086 # several options
    fastapi_template --quiet --name "$name" --api-type rest --db sqlite --orm sqlalchemy --dummy --routers \
        --ci none $users >&2 </dev/null
done
installed create-fastapi-project 0.2.6 >&2
template=$(python -c 'import create_fastapi_project as made; print(list(made.__path__)[0])')/templates/basic/backend/app

{
    keep fastapi_code_generator shop.main:app 'fastapi-code-generator 0.8.1 (MIT)' codegen
    keep fastapi_code_generator_routers shop.main:app 'fastapi-code-generator 0.8.1 (MIT), --generate-routers' routers
    keep openapi_generator openapi_server.main:app \
        'openapi-generator 7.26.0 (Apache-2.0), python-fastapi: its directory src' openapi-generator/src
    keep fastapi_template 'template.web.application:get_app()' 'fastapi_template 6.1.2 (MIT)' template
    keep fastapi_template_users 'template_users.web.application:get_app()' \
        'fastapi_template 6.1.2 (MIT), --add_users --jwt-auth --cookie-auth' template_users
    # The variable is in the .env that it makes.
    keep create_fastapi_project app.main:app 'environment: BACKEND_CORS_ORIGINS=["*"]
create-fastapi-project 0.2.6 (MIT), its basic template' "$template"
} >"$made.new"
mv "$made.new" "$made"
