# What a build and the tests need, installed where it is missing. Sourced.
# shellcheck shell=bash

# The crates of the TypeScript side, each with a package-lock.json of its own. The pages use the client's sources.
NODE_PACKAGES=(clients/typescript web)

require_tools() {
  command -v cargo >/dev/null || die "cargo is missing: install Rust from https://rustup.rs"
  command -v npm >/dev/null || die "npm is missing: install Node 20.19 or later from https://nodejs.org"
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    die "Node 20.19 or later is needed, this is $(node --version)"
  command -v cc >/dev/null || install_debian gcc libc6-dev
}

# install_debian PACKAGE...: installs with apt-get if this user may, else says what to do.
install_debian() {
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      die "missing: $*. Install it as root: apt-get install $*"
    fi
    as_root=(sudo -n)
  fi
  command -v apt-get >/dev/null || die "missing: $*, and there is no apt-get to install it with"
  step "installing $*" apt_install "$@"
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "$@" >"$STATE/logs/apt.log" 2>&1 || {
    tail -20 "$STATE/logs/apt.log"
    return 1
  }
}

# Chromium as Debian packages it; CHROMIUM names another one.
require_browser() {
  [ -x "${CHROMIUM:-/usr/bin/chromium}" ] || install_debian chromium
}

# PostgreSQL as Debian packages it. Tests start servers of their own (scripts/services/postgres): the one that the package
# would start is not wanted.
require_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && return
  if [ "$(id -u)" -eq 0 ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
  fi
  install_debian postgresql
}

# Kafka's jars, from Maven's registry, into the user's cache: some 50 MB, once.
require_kafka() {
  command -v java >/dev/null || install_debian default-jre-headless
  command -v mvn >/dev/null || install_debian maven
  step "looking for Kafka" scripts/services/kafka install
}

install_node_packages() {
  local package
  for package in "${NODE_PACKAGES[@]}"; do
    [ -f "$package/package.json" ] || continue
    local stamp="npm-${package//\//-}"
    # Removed by hand: the stamp is not to be believed.
    [ -d "$package/node_modules" ] || rm -f "$STATE/stamps/$stamp"
    once "$stamp" "$(digest "$package/package-lock.json")$(node --version)" \
      "npm ci in $package" npm_in "$package" ci --no-audit --no-fund
  done
}

# npm_in FOLDER ARGUMENT...
npm_in() {
  local folder=$1
  shift
  (cd "$folder" && npm "$@")
}

# The pages go into the binary, so they are built before it.
build_web() {
  [ -f web/package.json ] || return 0
  [ -f web/dist/index.html ] || rm -f "$STATE/stamps/web-dist"
  once web-dist "$(digest web clients/typescript)" "building the pages" npm_in web run build
}
