#!/usr/bin/env bash
# Makes what the Makefile's targets need, once, and repairs what an interrupted call left.
#
#   requirements/setup.sh main    .venv: the stack, the Delta JARs and goldlake itself
#   requirements/setup.sh docs    .venv-docs: Jupyter Book
#   requirements/setup.sh bench   .venv-bench: what the benchmark of ingestion compares goldlake with
#   requirements/setup.sh bench-serve   .venv-bench-serve: what the benchmark of serving compares with
#   requirements/setup.sh mlflow  .venv-mlflow: the MLflow server that a test copies models to
#   requirements/setup.sh kfp     .venv-kfp: the stack with kfp, to compile the pipeline for Kubeflow
#   requirements/setup.sh lock    the lock files, from the .in files (UPGRADE=1: newest versions)
#
# uv does the work; this file chooses the stack and says in one line what the machine lacks. STACK names a stack and
# PYTHON an interpreter. A stack that was named once stays, in .venv/.stack, until another is named or `make clean`.
# An environment holds `.stamp`, written last: a hash of all it was made from. Where it is as expected, nothing is done.
# It runs on bash 3.2 (macOS) and with the tools of a minimal system: no sha256sum, flock or realpath.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
unset PYTHONHOME PYTHONPATH
readonly needed_gb=6

say() { printf '%s\n' "$*"; }
fail() { say "goldlake set-up: $*" >&2 && exit 1; }
sha256() { if type -P sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }
on_mac() { [ "$system" = Darwin ]; }
apt() { say "$([ "$(id -u)" = 0 ] || printf 'sudo ')apt-get install -y $*"; }

# ------------------------------------------------------------------------------------------------------- the stack
# Newest first; a change here is a change to the table in README.md too.
readonly stacks="1.21 1.16"
needs_of() {
  say "Linux on x86-64 with glibc $([ "$1" = 1.16 ] && say 2.17 or later || say 2.39 or later, or macOS on arm64)"
}
system=$(uname -s) processor=$(uname -m) glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null)
readonly system processor glibc=${glibc#* }
case $system in
  Linux) here="Linux on ${processor/_/-} with${glibc:+ glibc $glibc}" && [ -n "$glibc" ] || here+="out glibc" ;;
  *) here="${system/Darwin/macOS} on $processor" ;;
esac

pythons_of() {
  case $1 in
    1.21) say "3.13 3.12 3.11 3.10" ;;
    1.21-kfp) say "3.11 3.10" ;; # kfp 2.16 wants nothing newer
    1.16*) say "3.10" ;;
  esac
}
has_glibc() { [ "$(printf '%s\n' "$1" "${glibc:-0}" | sort -V | head -n 1)" = "$1" ]; }
fits() {
  case "$1 $system $processor" in
    "1.21 Linux x86_64") has_glibc 2.39 ;;
    "1.21 Darwin arm64") true ;;
    "1.16 Linux x86_64") has_glibc 2.17 ;;
    *) false ;;
  esac
}

# The stack that STACK names, else the one that .venv has, else the newest that fits.
choose_stack() {
  local it newest="" container="docker run -it --platform linux/amd64 debian:13"
  for it in 1.16 1.21; do fits $it && newest=$it; done
  if [ -n "${STACK:-}" ]; then
    [[ " $stacks " == *" $STACK "* ]] ||
      fail "there is no stack '$STACK'; there are: $stacks. Run: make setup STACK=${newest:-1.21}"
    [ -n "$newest" ] && it="make setup STACK=$newest" || it=$container
    fits "$STACK" || fail "stack $STACK needs $(needs_of "$STACK"), and this is $here. Run: $it"
    stack=$STACK why="STACK names it"
  elif [ -z "$newest" ]; then
    fail "no stack fits this machine, $here: stack 1.21 needs $(needs_of 1.21); stack 1.16 needs $(needs_of 1.16);" \
      "run one of those, or: $container"
  elif [ "$newest $(cat .venv/.stack 2>/dev/null)" = "1.21 1.16" ] && fits 1.16; then
    stack=1.16 why=".venv has it; for the newer one: make setup STACK=1.21"
  else
    stack=$newest why="this is $here$([ $newest = 1.21 ] || say "; stack 1.21 needs $(needs_of 1.21)")"
  fi
}

# ----------------------------------------------------------------------------------------------- what it stands on
# Spark takes the Java of JAVA_HOME before the one on PATH; so does this check.
check_java() {
  local java version install
  install=$(apt "openjdk-$(has_glibc 2.39 && say 21 || say 17)-jre-headless")
  on_mac && install="brew install openjdk@21 && export JAVA_HOME=\$(brew --prefix openjdk@21)/libexec/openjdk.jdk/Contents/Home"
  java=$(type -P "${JAVA_HOME:+$JAVA_HOME/bin/}java") || case ${JAVA_HOME:-} in
    "") fail "Java was not found, and Spark needs 17 or newer. Run: $install" ;;
    *) fail "JAVA_HOME=$JAVA_HOME holds no bin/java. Run: unset JAVA_HOME; $install" ;;
  esac
  version=$("$java" -version 2>&1 | sed -n 's/.* version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1)
  [ "${version:-0}" -ge 17 ] || fail "$java is Java ${version:-of no version that it tells}, and Spark needs 17 or" \
    "newer. Run: ${JAVA_HOME:+unset JAVA_HOME; }$install"
}

# A system of glibc 2.39 brings a Python that fits; where there is a python3 already, it was of no use.
no_python() {
  local run="pyenv install ${pythons%% *}"
  if on_mac; then run="brew install python@${pythons%% *}"
  elif [[ $pythons == *3.13* ]] && has_glibc 2.39 && ! type -P python3 >/dev/null; then
    run=$(apt python3-venv python3-dev)
  elif ! type -P pyenv >/dev/null; then
    run="$(build_tools) && git clone https://github.com/pyenv/pyenv ~/.pyenv && ~/.pyenv/bin/$run"
  fi
  fail "Python ${pythons// / or } was not found on PATH nor under pyenv${1:-}. Run: $run"
}
build_tools() { apt git build-essential libssl-dev libsqlite3-dev libbz2-dev libffi-dev zlib1g-dev liblzma-dev; }
version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }
lacks() { # PYTHON MODULE...: prints those that it cannot import
  "$1" - "${@:2}" <<<'import importlib, sys
for name in sys.argv[1:]:
    try: importlib.import_module(name)
    except ImportError: print(end=" " + name)'
}

# The uv of the lock: the one on PATH, else one that any Python's pip installs into .venv-uv.
get_uv() {
  local locked python best="" lacking
  locked=$(sed -n 's/^uv==\([^ ;]*\).*/\1/p' requirements/uv.txt)
  for uv in uv .venv-uv/bin/uv; do [[ "$("$uv" --version 2>/dev/null) " == "uv $locked "* ]] && return; done
  while read -r python; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null || continue
    lacking=$(lacks "$python" venv ensurepip ssl) && [ -z "$lacking" ] && break
    best=${best:-$python} python=""
  done < <(type -aP python3 "$([ -z "${PYTHON:-}" ] || type -P "$PYTHON")" $(printf 'python%s ' $pythons))
  if [ -z "$python" ]; then
    [ -n "$best" ] || no_python
    fail "$best has no module venv. Run: $(apt "python$(version_of "$best")-venv")"
  fi
  begin_log .venv-uv
  logged "Creating .venv-uv" "$python" -m venv --clear .venv-uv
  begin_log .venv-uv
  logged "Installing uv" .venv-uv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --retries 2 \
    --no-deps --only-binary :all: --require-hashes -r requirements/uv.txt
}

# What the person told pip about indexes, uv is told as well; an own setting of uv's goes first.
use_pip_settings() {
  local settings scope name value
  settings=$(.venv-uv/bin/python -m pip config list 2>/dev/null || python3 -m pip config list 2>/dev/null)
  set -a
  for scope in :env: install global; do
    while IFS='=' read -r name value; do
      value=$(sed "s/\\\\n/ /g; s/^' *//; s/ *'\$//" <<<"$value")
      case $name in
        "$scope.index-url") : "${UV_INDEX_URL:=$value}" ;;
        "$scope.extra-index-url") : "${UV_EXTRA_INDEX_URL:=$value}" ;;
        "$scope.find-links") : "${UV_FIND_LINKS:=${value// /,}}" ;;
        "$scope.cert") : "${SSL_CERT_FILE:=$value}" ;;
        "$scope.default-timeout") : "${UV_HTTP_TIMEOUT:=$value}" ;;
        "$scope.no-index") case $value in 1 | [Tt]rue) : "${UV_NO_INDEX:=1}" ;; esac ;;
      esac
    done <<<"$settings"
  done
  set +a
}

# Sets `python` to one of the first of these versions that there is, complete; else to one that uv fetches.
find_python() {
  local version missing="" lacking=""
  if [ -n "${PYTHON:-}" ] && [[ " $pythons " != *" $(version_of "$PYTHON") "* ]]; then
    fail "PYTHON=$PYTHON is not a working Python ${pythons// / or }. Run: unset PYTHON"
  fi
  for version in ${PYTHON:-$pythons}; do
    python=$("$uv" python find --system --no-python-downloads "$version" 2>/dev/null) || continue
    missing=$(lacks "$python" ssl sqlite3 bz2 ctypes zlib)
    [ -z "$missing" ] && return
    lacking=${lacking:-"$python was built without$missing. Run: $(build_tools) && pyenv install --force $version"}
  done
  [ -z "$lacking" ] || fail "$lacking"
  version=${pythons%% *}
  say "Python ${pythons// / or } was not found; asking uv to fetch ${pythons%% *}"
  UV_HTTP_RETRIES=0 "$uv" python install --quiet "$version" >/dev/null 2>&1 &&
    python=$("$uv" python find --managed-python --no-python-downloads "$version" 2>/dev/null) ||
    no_python ", nor fetched by uv"
}

# uv's cache is a second copy, unless it lies on the same disk: then both are the same files.
check_disk() {
  local folder free_mb
  for folder in "$PWD" "$("$uv" cache dir)"; do
    until [ -d "$folder" ]; do folder=$(dirname "$folder"); done
    free_mb=$(df -Pk "$folder" | awk 'NR == 2 {print int($4 / 1024)}')
    [ "${free_mb:-0}" -ge $((needed_gb * 1024)) ] || fail "$folder has $free_mb MB free, and the environment needs" \
      "$needed_gb GB. Make room, then run: make setup"
  done
}

# -------------------------------------------------------------------------------------------------------- the work
begin_log() { mkdir -p "$1" && log=$1/setup.log && : >"$log" || fail "$1 cannot be written. Run: ls -ld $PWD $1"; }

logged() { # WHAT COMMAND...: its output goes to the log, its failure becomes one line
  local what=$1 output
  shift
  output=$("$@" 2>&1) && { say "\$ $*" "$output" >>"$log"; return; }
  say "\$ $*" "$output" >>"$log"
  case $output in
    *"No space left"* | *"Errno 28"* | *"os error 28"* | *"quota exceeded"*)
      fail "$what failed: the disk is full ($(df -Pm . | awk 'NR == 2 {print $6 " has " $4 " MB free"}'))." \
        "Make room, then run: make setup" ;;
    *"HASHES FROM THE REQUIREMENTS"* | *"ash mismatch"*)
      fail "$what failed: a file is not the one that was locked (details in $log)." \
        "If the index is one you trust to be right, run: make lock" ;;
    *"ailed to build"*pyfarmhash*)
      fail "$what failed: pyfarmhash has no wheel and does not compile here (details in $log)." \
        "Run: $(on_mac && say xcode-select --install || apt g++ "python$(version_of "$python")-dev")" ;;
    *"error sending request"* | *"dns error"* | *"ame resolution"* | *onnection* | *"imed out"* | *Timeout* | \
      *"is unreachable"* | *"ailed to fetch"* | *HostException* | *ConnectException* | *SSLError* | *ProxyError* | \
      *"was not resolved"* | *"connectivity is disabled"*)
      # uv installs nothing before everything is there: the environment is still what it was.
      [ -f "${env:-}/.locked-before" ] && mv "$env/.locked-before" "$env/.locked"
      fail "$what failed: no network, or no way to the packages (details in $log). Connect, or $([[ $what == *JAR* ]] &&
        say "name a mirror (export IVY_SETTINGS=ivysettings.xml)" ||
        say "point pip at your index (pip config set global.index-url URL)"), then run: make setup" ;;
    *) fail "$what failed: $({ tail -n 1 <<<"$output"; grep -iE 'error|failed' <<<"$output"; } | tail -n 1)" \
      "For the details, run: less $log" ;;
  esac
}

is_complete() { [ -x "$env/bin/python" ] && [ "$(cat "$env/.stamp" 2>/dev/null)" = "$stamp" ]; }

# One set-up at a time. The lock is on this very file, so that it leaves nothing behind, and belongs to this shell,
# which opened it: it outlives the Python that asks for it (there is no flock on macOS).
wait_for_turn() {
  exec 9<requirements/setup.sh
  python3 -c 'import fcntl
try: fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError: print("Waiting for another set-up to finish", flush=True); fcntl.flock(9, fcntl.LOCK_EX)' 2>/dev/null
}

set_up() {
  local root bin
  is_complete && return
  # A pyenv shim can exist and fail, and uv goes no further then: the interpreters themselves go before it.
  for root in "${PYENV_ROOT:-}" "$(pyenv root 2>/dev/null)" "$HOME/.pyenv"; do
    for bin in "$root"/versions/3.*/bin; do [ -d "$bin" ] && PATH=$bin:$PATH; done
  done
  wait_for_turn
  is_complete && return
  [ "$env" != .venv ] || check_java
  get_uv
  use_pip_settings
  find_python
  [ -f "$env/.locked" ] || check_disk
  # A package whose installation was interrupted looks installed to the next call. So an environment is trusted only
  # while `.locked` is there, which is away during an installation, and names this place, lock and Python.
  if [ -e "$env/bin" ] && [ "$(cat "$env/.locked" 2>/dev/null)" != "$PWD $lock" ]; then
    say "Removing $env, which is unfinished, damaged, moved or of another stack"
    find "$env" -mindepth 1 -maxdepth 1 ! -name jars -exec rm -rf {} +
  fi
  begin_log "$env"
  rm -f "$env/.stamp"
  [ -f "$env/.locked" ] && mv "$env/.locked" "$env/.locked-before"
  if [ ! -x "$env/bin/python" ]; then
    [[ $env == .venv-docs || $env == .venv-bench* || $env == .venv-mlflow ]] || say "Taking stack $stack: $why"
    say "Creating $env with $("$python" --version), $python"
    logged "Creating $env" "$uv" venv --quiet --allow-existing --python "$python" "$env"
    say "$stack" >"$env/.stack"
  fi
  say "Installing the packages of $lock into $env (about a minute)"
  logged "Installing $lock" "$uv" pip sync --quiet --compile-bytecode --python "$env/bin/python" --require-hashes \
    --build-constraints requirements/build.txt "$lock"
  say "$PWD $lock" >"$env/.locked" && rm -f "$env/.locked-before"
  if [ "$env" = .venv ]; then
    # The legacy editable mode is a plain path entry: type checkers and spawned workers follow it.
    logged "Installing goldlake" "$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation \
      --config-settings editable_mode=compat --editable .
    # Where PYTHONDONTWRITEBYTECODE is set, as in many images, each run would compile all that it imports.
    logged "Compiling goldlake" .venv/bin/python -m compileall -q goldlake{,_core,_simulators} lakehouse metadata \
      serving tfx_pipeline usecases
    say "Fetching the Delta JARs"
    logged "Fetching the Delta JARs" .venv/bin/python -m lakehouse.jars fetch
  fi
  say "$stamp" >"$env/.stamp"
  say "$env is ready"
}

# Stack 1.16 is locked for its one system and Python, everything else for all of them at once: a lock does not depend
# on the machine that makes it.
write_locks() {
  local name scope
  get_uv
  use_pip_settings
  begin_log .venv
  for name in uv build docs bench bench-serve mlflow $(printf 'stack-%s kfp-%s ' 1.21 1.21 1.16 1.16); do
    case $name in *-1.16) scope="--python-platform x86_64-manylinux_2_17" ;; *) scope=--universal ;; esac
    say "Locking requirements/$name.in"
    # shellcheck disable=SC2086
    logged "Locking $name.in" "$uv" pip compile --quiet --no-header --generate-hashes --python-version 3.10 \
      $scope ${UPGRADE:+--upgrade} --output-file "requirements/$name.txt" "requirements/$name.in"
  done
  say "Locking lakehouse/jars.lock"
  logged "Locking the JARs" .venv/bin/python -m lakehouse.jars lock
}

choose_stack
env=.venv-$1 pythons=$(pythons_of "$stack") own=""
case ${1:-} in
  main | lock) env=.venv lock=requirements/stack-$stack.txt own="lakehouse/jars.lock setup.py pyproject.toml" ;;
  docs | bench | bench-serve | mlflow) lock=requirements/$1.txt pythons=$(pythons_of 1.21) ;;
  kfp) lock=requirements/kfp-$stack.txt pythons=$(pythons_of "$stack-kfp") ;;
  *) fail "'${1:-}' is nothing to set up; it is one of main, docs, bench, bench-serve, mlflow, kfp, lock. Run: make setup" ;;
esac
# The place is part of it: scripts in an environment name their interpreter by its full path.
# shellcheck disable=SC2086
stamp=$({ say "$PWD"; sha256 "$lock" requirements/{build,uv}.txt requirements/setup.sh $own; } | sha256)
readonly stack why env lock pythons stamp
set_up
[ "$1" != lock ] || write_locks
