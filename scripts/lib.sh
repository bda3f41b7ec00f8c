# Shared by the scripts beside it: saying what is done and how long it took, and doing it once only.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Where stamps, logs and counts are kept: with everything else that a build leaves behind.
STATE=target/quire-scripts
mkdir -p "$STATE/stamps" "$STATE/logs"

say() { printf '\n== %s\n' "$*"; }

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# step NAME COMMAND...: runs the command and says how long it took. Returns the command's own exit code.
step() {
  local name=$1 began=$SECONDS code=0
  shift
  say "$name"
  "$@" || code=$?
  if [ "$code" -eq 0 ]; then
    printf -- '-- %s: %d s\n' "$name" $((SECONDS - began))
  else
    printf -- '-- %s: FAILED with exit code %d after %d s\n' "$name" "$code" $((SECONDS - began))
  fi
  return "$code"
}

# once STAMP DIGEST NAME COMMAND...: runs the step unless it was done for the same digest before.
once() {
  local stamp=$STATE/stamps/$1 digest=$2
  shift 2
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$digest" ]; then return 0; fi
  rm -f "$stamp"
  step "$@"
  printf '%s\n' "$digest" >"$stamp"
}

# digest PATH...: one hash over the names and contents of the files, and of all files below the folders.
digest() {
  find "$@" -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/test-results/*' -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

# with_limit SECONDS COMMAND...: ends a command that hangs, so that whoever waits for it hears of it.
with_limit() {
  timeout --kill-after=10 "$@"
}

# forget_settings: what the user has set for a server is not for test runs. What tests themselves read stays, and how much is logged.
forget_settings() {
  local name
  for name in $(compgen -e QUIRE_); do
    case $name in
      QUIRE_TEST_* | QUIRE_COUNTS | QUIRE_CORPORA | QUIRE_DEMO_SECONDS | QUIRE_FAULT_ROUNDS | QUIRE_HISTORIES | QUIRE_LOG | \
        QUIRE_OUTAGE_SECONDS | QUIRE_SEED) ;;
      *) unset "$name" ;;
    esac
  done
}
