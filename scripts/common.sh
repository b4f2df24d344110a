# What several scripts share; source it.

step() { printf '\n== %s\n' "$*" >&2; }

# apt_install REASON PACKAGE…: as root or through sudo, where there is apt-get.
apt_install() {
    local reason=$1 as_root=sudo
    shift
    if ! command -v apt-get >/dev/null; then
        echo "$reason, and there is no apt-get here: install it and run this again" >&2
        return 1
    fi
    step "$reason: installing Debian's $*"
    [ "$(id -u)" != 0 ] || as_root=env
    "$as_root" apt-get update -q >&2
    "$as_root" apt-get install -y -q --no-install-recommends "$@" >&2
}

# wait_for PROCESS FILE: until the file has something in it; fails when the process ends before.
wait_for() {
    until [ -s "$2" ]; do
        kill -0 "$1" 2>/dev/null || { echo "it ended before it wrote $2" >&2; return 1; }
        sleep 0.1
    done
}

# start_emulator PROGRAM LOG FLAGS…: sets emulator, its process, and endpoint, its address.
start_emulator() {
    local program=$1 log=$2
    shift 2
    "$program" emulate --port 0 "$@" >"$log" &
    emulator=$!
    wait_for "$emulator" "$log" || return
    endpoint=$(sed -n 's/^serving \([^;]*\);.*/\1/p' "$log")
}
