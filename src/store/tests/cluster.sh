# Runs a PostgreSQL of its own in the directory $1 until standard input is closed, which the end of the
# test process does whatever way it ends. PostgreSQL refuses root, so root hands it to another user.
set -eu
dir=$1
trap '' INT TERM HUP
for found in /usr/lib/postgresql/*/bin; do PATH="$PATH:$found"; done
if ! command -v initdb >/dev/null || ! command -v postgres >/dev/null; then
    rm -rf "$dir"
    exit 3
fi
as=""
if [ "$(id -u)" = 0 ]; then
    user=$(id -un postgres 2>/dev/null || echo nobody)
    chown "$user" "$dir"
    as="setpriv --reuid=$(id -u "$user") --regid=$(id -g "$user") --clear-groups"
fi
cd "$dir"
postgres=
cleanup() {
    [ -z "$postgres" ] || kill -QUIT "$postgres" 2>/dev/null || true
    wait
    rm -rf "$dir"
}
trap cleanup EXIT
$as initdb -D "$dir/data" -U previewd --auth=trust --no-sync -E UTF8 --locale=C >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 4; }
$as postgres -D "$dir/data" -k "$dir" -c listen_addresses= -c fsync=off -c max_connections=300 >>"$dir/log" 2>&1 </dev/null &
postgres=$!
read -r _ || true
