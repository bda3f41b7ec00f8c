# What the scripts of the two gateways share. Sourced: `configure` and `run` are the script's own.
# shellcheck shell=bash

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# up PID FOLDER PORT ARGUMENT...: starts it, and waits until it takes connections. Fails when somebody else has the port.
up() {
  local owner=$1 folder=$2 port=$3 pid
  shift
  configure "$@"
  (run "$@") </dev/null >"$folder/log" 2>&1 &
  pid=$!
  echo "$pid" >"$folder/pid"
  for _ in {1..200}; do
    kill -0 "$pid" 2>/dev/null || return 1
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      # A gateway does not outlive the one that it was started for, however that ends.
      setsid bash -c 'while kill -0 "$2" && [ -d "$1" ]; do sleep 1; done; exec "$0" stop "$1"' \
        "$(realpath "$0")" "$folder" "$owner" </dev/null >/dev/null 2>&1 &
      return 0
    fi
    sleep 0.05
  done
  kill "$pid" || true
  return 1
}

start() {
  local owner=$1 folder port
  shift
  folder=$(mktemp -d "${TMPDIR:-/tmp}/quire-gateway.XXXXXX")
  for _ in {1..5}; do
    # Below the range that clients' ends are taken from.
    port=$((15000 + RANDOM % 15000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue
    if up "$owner" "$folder" "$port" "$@"; then
      printf '%s\n127.0.0.1:%s\n' "$folder" "$port"
      return
    fi
  done
  cat "$folder/log" >&2
  rm -rf "$folder"
  die "it did not start"
}

stop() {
  [ -d "$1" ] || return 0
  kill "$(cat "$1/pid")" 2>/dev/null || true
  rm -rf "$1"
}

# gateway PROGRAM PACKAGE VERB ARGUMENT...
gateway() {
  PATH=$PATH:/usr/sbin
  command -v "$1" >/dev/null || die "$1 is not installed: apt-get install $2"
  case "${3:-}" in
    start) [ $# -eq 7 ] || die "start PID PEM SERVER SERVER"; start "${@:4}" ;;
    stop) stop "${4:?a folder is wanted}" ;;
    *)
      sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
}
