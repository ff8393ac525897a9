#!/usr/bin/env bash
# Makes what the Makefile's targets need, once, and repairs what an interrupted call left behind.
#
#   requirements/setup.sh main    .venv: the stack, the Delta JARs and goldlake itself
#   requirements/setup.sh docs    .venv-docs: Jupyter Book
#   requirements/setup.sh kfp     .venv-kfp: the stack with kfp, to compile the pipeline for Kubeflow
#   requirements/setup.sh lock    the lock files, from the .in files (UPGRADE=1: newest versions)
#
# An environment holds `.stamp`, written last: a hash of all it was made from. Where it is as expected, nothing is
# done. STACK names the stack and PYTHON an interpreter; without them machine.sh says what fits. A stack that was named
# once stays, in .venv/.stack, until another is named or `make clean`.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
readonly top=$PWD
readonly needed_gb=6
log=/dev/null
unset PYTHONHOME PYTHONPATH

say() { printf '%s\n' "$*"; }

# One clear line: what is wrong, and the command that fixes it.
fail() {
  printf 'goldlake set-up: %s\n' "$*" >&2
  exit 1
}

sha256() { if type -P sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

as_root() { if [ "$(id -u)" = 0 ]; then say "$*"; else say "sudo $*"; fi; }

# shellcheck source=requirements/machine.sh
source requirements/machine.sh
stack=$(choose_stack) || exit 1
readonly stack

# ---------------------------------------------------------------------------------------------- what is expected

lock_of() {
  case $1 in
    main) say "requirements/stack-$stack.txt" ;;
    docs) say "requirements/docs.txt" ;;
    kfp) say "requirements/kfp-$stack.txt" ;;
  esac
}

pythons_for() {
  case $1 in
    main) pythons_of "$stack" ;;
    docs) pythons_of "${stacks%% *}" ;;
    kfp) pythons_of "$stack-kfp" ;;
  esac
}

# The place is part of it: scripts in an environment name their interpreter by its full path.
expected_stamp() {
  local files=("$(lock_of "$1")" requirements/{build,uv}.txt requirements/{machine,setup}.sh)
  [ "$1" = main ] && files+=(lakehouse/jars.lock setup.py pyproject.toml)
  { say "$top"; sha256 "${files[@]}"; } | sha256
}

has_jars() {
  local jar
  for jar in $(awk -F'[: ]' '/^[^#]/ {print $2 "-" $3 ".jar"}' lakehouse/jars.lock); do
    [ -f "$1/jars/$jar" ] || return 1
  done
}

is_complete() {
  local what=$1 env=$2 stamp
  [ -x "$env/bin/python" ] && [ -f "$env/.stamp" ] || return 1
  read -r -d '' stamp <"$env/.stamp"
  [ "$stamp" = "$(expected_stamp "$what")" ] || return 1
  [ "$what" != main ] || { [ -x "$env/bin/goldlake" ] && has_jars "$env"; }
}

# The installer's cache is a second copy, unless it lies on the same disk: then both are the same files.
check_disk() {
  local folder free_kb
  for folder in "$top" "$(cache_folder)"; do
    until [ -d "$folder" ]; do folder=$(dirname "$folder"); done
    free_kb=$(df -Pk "$folder" | awk 'NR == 2 {print $4}')
    [ "${free_kb:-0}" -ge $((needed_gb * 1024 * 1024)) ] || fail "$folder has $((free_kb / 1024)) MB free, and the" \
      "environment needs $needed_gb GB. Make room, then run: make setup"
  done
}

cache_folder() { say "${UV_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/uv}"; }

# ------------------------------------------------------------------------------------------------------- the work

# What the person told pip about indexes, uv is told as well.
use_pip_settings() {
  local settings
  settings=$("$1" -m pip config list 2>/dev/null) || return 0
  pip_setting() {
    local scope
    for scope in :env: install global; do
      sed -n "s/^$scope\.$1='\(.*\)'\$/\1/p" <<<"$settings" | sed 's/\\n/ /g; s/^ *//; s/ *$//'
    done | head -n 1
  }
  give() { # NAME VALUE: an own setting of uv's goes first
    [ -n "$2" ] && [ -z "${!1:-}" ] && export "$1=$2"
  }
  [ -n "${UV_INDEX_URL:-}" ] || give UV_DEFAULT_INDEX "$(pip_setting index-url)"
  give UV_EXTRA_INDEX_URL "$(pip_setting extra-index-url)"
  give UV_FIND_LINKS "$(pip_setting find-links | tr ' ' ,)"
  give SSL_CERT_FILE "$(pip_setting cert)"
  give UV_HTTP_TIMEOUT "$(pip_setting default-timeout)"
  case $(pip_setting no-index) in 1 | true | True) give UV_NO_INDEX 1 ;; esac
  return 0
}

# Runs a command with its output in the log; a failure becomes one line.
logged() {
  local what=$1
  shift
  say "\$ $*" >>"$log"
  local start
  start=$(wc -l <"$log")
  "$@" >>"$log" 2>&1 && return
  explain "$what" "$(tail -n "+$start" "$log")"
}

explain() {
  local what=$1 output=$2 remedy
  case $output in
    *"No space left on device"* | *"os error 28"* | *"Errno 28"* | *"Disk quota exceeded"*)
      fail "$what failed: the disk is full ($(full_disk)). Make room, then run: make setup" ;;
    *"HASHES FROM THE REQUIREMENTS FILE"* | *"Hash mismatch"* | *"sha256"*"differs"*)
      fail "$what failed: a file is not the one that was locked (details in $log)." \
        "If the index is one you trust to be right, run: make lock" ;;
    *"error sending request"* | *"dns error"* | *"name resolution"* | *"NewConnectionError"* | *"Connection refused"* | \
      *"ConnectTimeout"* | *"timed out"* | *"ProxyError"* | *"Network is unreachable"* | *"Failed to fetch"* | \
      *"UnknownHostException"* | *"ConnectException"* | *"Host "*" not found"* | *"Server access error"* | *"SSLError"* | \
      *"Network connectivity is disabled"*)
      # Nothing is installed before everything is there: what stood before still stands.
      [ -f "${env:-}/.locked-before" ] && mv "$env/.locked-before" "$env/.locked"
      remedy="point pip at your index (pip config set global.index-url URL)"
      [[ $what == *JAR* ]] && remedy="name a mirror (export IVY_SETTINGS=ivysettings.xml)"
      fail "$what failed: no network, or no way to the packages (details in $log)." \
        "Connect, or $remedy, then run: make setup" ;;
    *) fail "$what failed: $({ tail -n 1 <<<"$output"; grep -iE 'error|failed' <<<"$output"; } | tail -n 1)" \
      "For the details, run: less $log" ;;
  esac
}

full_disk() {
  df -Pm "$top" "${TMPDIR:-/tmp}" "$(dirname "$(cache_folder)")" 2>/dev/null |
    awk 'NR > 1 && !seen[$6]++ {printf "%s%s has %d MB free", (n++ ? ", " : ""), $6, $4}'
}

# A package whose installation was interrupted looks installed to the next call. So an environment is trusted only
# while `.locked` stands, which is away during an installation; else it is made again. The JARs are checked by hash
# and may stay. Its scripts name their interpreter by its full path, so a moved one is made again as well, and so is
# one of another stack, which may have been made with a Python that is not the best for this one.
is_trusted() {
  local what=$1 env=$2
  [ -f "$env/.locked" ] && { [ "$what" = docs ] || [ "$(cat "$env/.stack" 2>/dev/null)" = "$stack" ]; } &&
    is_python "$env/bin/python" "$(pythons_for "$what")" && "$env/bin/python" -c 'import pip' 2>/dev/null &&
    grep -qF "$top/$env" "$env/bin/activate"
}

make_environment() {
  local what=$1 env=$2 output
  if [ -e "$env/bin" ] && ! is_trusted "$what" "$env"; then
    say "Removing $env, which is unfinished, damaged, moved or of another stack"
    rm -f "$env/.locked"
    find "$env" -mindepth 1 -maxdepth 1 ! -name jars -exec rm -rf {} +
  fi
  log=$env/setup.log
  output=$({ mkdir -p "$env" && rm -f "$env/.stamp" && : >"$log"; } 2>&1) || explain "Creating $env" "$output"
  [ -x "$env/bin/python" ] && return
  [ "$what" = docs ] || say "Taking stack $stack: $(reason "$stack")"
  say "Creating $env with $("$python" --version), $python"
  logged "Creating $env" "$python" -m venv "$env"
  write_whole "$env/.stack" "$stack"
}

install_uv() {
  local env=$1 locked
  locked=$(sed -n 's/^uv==\([^ ;]*\).*/\1/p' requirements/uv.txt)
  [[ "$("$env/bin/uv" --version 2>/dev/null) " == "uv $locked "* ]] && return
  logged "Installing uv" "$env/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --retries 2 \
    --force-reinstall --no-deps --only-binary :all: --require-hashes -r requirements/uv.txt
}

install_lock() {
  local env=$1 lock=$2 locked
  locked=$({ say "$top"; sha256 "$lock" requirements/build.txt requirements/uv.txt; } | sha256)
  [ "$(cat "$env/.locked" 2>/dev/null)" = "$locked" ] && return
  say "Installing the packages of $lock into $env (about a minute)"
  [ -f "$env/.locked" ] && mv "$env/.locked" "$env/.locked-before"
  logged "Installing $lock" "$env/bin/uv" pip sync --quiet --python "$env/bin/python" --require-hashes \
    --build-constraints requirements/build.txt "$lock"
  rm -f "$env/.locked-before"
  write_whole "$env/.locked" "$locked"
}

write_whole() {
  { say "$2" >"$1.new" && mv "$1.new" "$1"; } 2>>"$log" || explain "Writing $1" "$(tail -n 1 "$log")"
}

# One set-up at a time. The lock is on this very file, so that it leaves nothing behind, and belongs to this shell,
# which opened it: it outlives the Python that asks for it (there is no flock on macOS).
wait_for_turn() {
  exec 9<requirements/setup.sh
  "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null && return
  say "Waiting for another set-up to finish"
  "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
}

set_up() {
  local what=$1 env=$2 python
  is_complete "$what" "$env" && return
  python=$(find_python "$(pythons_for "$what")") || exit 1
  wait_for_turn
  is_complete "$what" "$env" && return
  if [ "$what" = main ]; then check_java; fi
  if [ "$what" != docs ]; then check_compiler "$python"; fi
  [ -f "$env/bin/uv" ] || check_disk
  make_environment "$what" "$env"
  use_pip_settings "$env/bin/python"
  export UV_PYTHON_DOWNLOADS=never
  install_uv "$env"
  install_lock "$env" "$(lock_of "$what")"
  if [ "$what" = main ]; then
    has_jars "$env" || say "Fetching the Delta JARs"
    logged "Fetching the Delta JARs" "$env/bin/python" -m lakehouse.jars fetch
    # The legacy editable mode is a plain path entry: type checkers and spawned workers follow it.
    logged "Installing goldlake" "$env/bin/uv" pip install --quiet --python "$env/bin/python" --no-deps \
      --no-build-isolation --config-settings editable_mode=compat --editable .
  fi
  write_whole "$env/.stamp" "$(expected_stamp "$what")"
  say "$env is ready"
}

# Stack 1.16 is locked for its one system and Python, everything else for all of them at once: a lock does not depend
# on the machine that makes it.
write_locks() {
  local name scope
  use_pip_settings .venv/bin/python
  log=.venv/lock.log
  : >"$log"
  for name in uv build docs $(for it in $stacks; do say "stack-$it" "kfp-$it"; done); do
    case $name in *-1.16) scope="--python-platform x86_64-manylinux_2_17" ;; *) scope=--universal ;; esac
    say "Locking requirements/$name.in"
    # shellcheck disable=SC2086
    logged "Locking $name.in" .venv/bin/uv pip compile --quiet --no-header --generate-hashes --python-version 3.10 \
      $scope ${UPGRADE:+--upgrade} --output-file "requirements/$name.txt" "requirements/$name.in"
  done
  say "Locking lakehouse/jars.lock"
  logged "Locking the JARs" .venv/bin/python -m lakehouse.jars lock
}

case ${1:-} in
  main) set_up main .venv ;;
  docs) set_up docs .venv-docs ;;
  kfp) set_up kfp .venv-kfp ;;
  lock) set_up main .venv && write_locks ;;
  *) fail "'${1:-}' is nothing to set up; it is one of main, docs, kfp, lock. Run: make setup" ;;
esac
