#!/usr/bin/env bash
# Makes what the Makefile's targets need, once, and repairs what an interrupted call left behind.
#
#   requirements/setup.sh main    .venv: the stack, the Delta JARs and goldlake itself
#   requirements/setup.sh docs    .venv-docs: Jupyter Book
#   requirements/setup.sh kfp     .venv-kfp: the stack with kfp, to compile the pipeline for Kubeflow
#   requirements/setup.sh lock    the lock files, from the .in files (UPGRADE=1: newest versions)
#
# An environment holds `.stamp`, written last: a hash of all it was made from. Where it is as expected, nothing is
# done. STACK names the lock, PYTHON an interpreter to use.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
readonly top=$PWD
readonly stack=${STACK:-1.16}
readonly python_version=3.10
readonly needed_gb=6
log=/dev/null
unset PYTHONHOME PYTHONPATH

say() { printf '%s\n' "$*"; }

# One clear line: what is wrong, and the command that fixes it.
fail() {
  printf 'goldlake set-up: %s\n' "$*" >&2
  exit 1
}

as_root() { if [ "$(id -u)" = 0 ]; then say "$*"; else say "sudo $*"; fi; }

# ---------------------------------------------------------------------------------------------- what is expected

lock_of() {
  case $1 in
    main) say "requirements/stack-$stack.txt" ;;
    docs) say "requirements/docs.txt" ;;
    kfp) say "requirements/kfp-$stack.txt" ;;
  esac
}

# The place is part of it: scripts in an environment name their interpreter by its full path.
expected_stamp() {
  local files=("$(lock_of "$1")" requirements/{build,uv}.txt requirements/setup.sh)
  [ "$1" = main ] && files+=(requirements/jars.lock requirements/jars.py setup.py pyproject.toml)
  { say "$top"; sha256sum "${files[@]}"; } | sha256sum
}

has_jars() {
  local jar
  for jar in $(awk -F'[: ]' '/^[^#]/ {print $2 "-" $3 ".jar"}' requirements/jars.lock); do
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

# ------------------------------------------------------------------------------------------------ what is needed

check_platform() {
  local system glibc
  system="$(uname -s) $(uname -m)"
  [ -f "requirements/stack-$stack.txt" ] || fail "there is no lock for stack '$stack'; there is:" \
    "$(echo requirements/stack-*.txt). Run: make setup STACK=1.16"
  [ "$system" = "Linux x86_64" ] || fail "stack $stack has wheels for Linux on x86-64 only, and this is $system." \
    "On such a machine or in a container, run: docker run -it --platform linux/amd64 debian:12"
  glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || fail "stack $stack needs glibc 2.17 or later, and this system's" \
    "C library is another one. Run: docker run -it debian:12"
  [ "$(printf '2.17\n%s\n' "${glibc#* }" | sort -V | head -n 1)" = 2.17 ] || fail "stack $stack needs glibc 2.17 or" \
    "later, and this system has ${glibc#* }. Run: docker run -it debian:12"
}

# Interpreters that may be what we look for, best first. A pyenv shim can exist and still fail, so the folders of
# pyenv's versions are searched as well.
python_candidates() {
  local root
  type -aP "python$python_version" python3 python
  {
    say "${PYENV_ROOT:-}"
    pyenv root 2>/dev/null
    say "$HOME/.pyenv"
  } | awk 'NF && !seen[$0]++' | while read -r root; do
    find "$root/versions" -maxdepth 3 -path "*/$python_version.*/bin/python$python_version" 2>/dev/null | sort -Vr
  done
}

# Prints the interpreter; a failure is one line that says which kind it is.
find_python() {
  local candidate missing lacking="" name
  if [ -n "${PYTHON:-}" ]; then
    is_right_python "$PYTHON" || fail "PYTHON=$PYTHON is not a working Python $python_version. Run: unset PYTHON"
  fi
  while read -r candidate; do
    is_right_python "$candidate" || continue
    missing=$(missing_modules "$candidate")
    if [ -z "$missing" ]; then
      say "$candidate"
      return
    fi
    lacking=${lacking:-"$candidate:$missing"}
  done < <(if [ -n "${PYTHON:-}" ]; then type -P "$PYTHON"; else python_candidates; fi)
  name=${lacking%%:*}
  missing=${lacking#*: }
  case $missing in
    "") fail "Python $python_version was not found on PATH nor under pyenv. Run: $(python_install)" ;;
    *ensurepip* | *venv*)
      fail "$name has no module venv. Run: $(as_root apt-get install -y "python$python_version-venv")" ;;
    *) fail "$name was built without $missing. Run: $(python_headers) && pyenv install --force $python_version" ;;
  esac
}

is_right_python() {
  [ "$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$python_version" ]
}

missing_modules() {
  "$1" - <<'PYTHON'
import importlib

for name in ("venv", "ensurepip", "ssl", "sqlite3", "bz2", "ctypes", "zlib"):
    try:
        importlib.import_module(name)
    except ImportError:
        print(end=" " + name)
PYTHON
}

python_headers() {
  as_root apt-get install -y git build-essential libssl-dev libsqlite3-dev libbz2-dev libffi-dev zlib1g-dev liblzma-dev
}

python_install() {
  if type -P pyenv >/dev/null; then
    say "pyenv install $python_version"
  else
    say "$(python_headers) && git clone https://github.com/pyenv/pyenv ~/.pyenv &&" \
      "~/.pyenv/bin/pyenv install $python_version"
  fi
}

# Spark takes the Java of JAVA_HOME before the one on PATH; so does this check.
check_java() {
  local java version install
  install=$(as_root apt-get install -y openjdk-17-jre-headless)
  if [ -n "${JAVA_HOME:-}" ]; then
    java=$JAVA_HOME/bin/java
    [ -x "$java" ] || fail "JAVA_HOME=$JAVA_HOME holds no bin/java. Run: unset JAVA_HOME; $install"
  else
    java=$(type -P java) || fail "Java was not found, and Spark needs 17 or newer. Run: $install"
  fi
  version=$("$java" -version 2>&1 | sed -n 's/.* version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1)
  [ -n "$version" ] || fail "$java does not answer to -version. Run: $install"
  [ "$version" -ge 17 ] || fail "$java is Java $version, and Spark needs 17 or newer." \
    "Run: ${JAVA_HOME:+unset JAVA_HOME; }$install"
}

# pyfarmhash, which TensorFlow Data Validation needs, has no wheel: it is compiled here.
check_compiler() {
  local python=$1 compiler include
  { read -r compiler; read -r include; } < <("$python" -c \
    'import sysconfig; print(sysconfig.get_config_var("CC") or "gcc"); print(sysconfig.get_path("include"))')
  compiler=${CC:-$compiler}
  ${compiler} -x c++ -fsyntax-only - <<<'#include <string>' >/dev/null 2>&1 ||
    fail "'${compiler}' does not compile C++, and pyfarmhash has to be compiled." \
      "Run: $(as_root apt-get install -y g++)"
  [ -f "$include/Python.h" ] || fail "$include/Python.h is missing, and pyfarmhash has to be compiled." \
    "Run: $(as_root apt-get install -y "python$python_version-dev")"
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
# and may stay. Its scripts name their interpreter by its full path, so a moved one is made again as well.
is_trusted() {
  local env=$1
  [ -f "$env/.locked" ] && is_right_python "$env/bin/python" && "$env/bin/python" -c 'import pip' 2>/dev/null &&
    grep -qF "$top/$env" "$env/bin/activate"
}

make_environment() {
  local env=$1 python=$2 output
  if [ -e "$env/bin" ] && ! is_trusted "$env"; then
    say "Removing $env, which is unfinished, damaged or was moved"
    rm -f "$env/.locked"
    find "$env" -mindepth 1 -maxdepth 1 ! -name jars -exec rm -rf {} +
  fi
  log=$env/setup.log
  output=$({ mkdir -p "$env" && rm -f "$env/.stamp" && : >"$log"; } 2>&1) || explain "Creating $env" "$output"
  [ -x "$env/bin/python" ] && return
  say "Creating $env with $("$python" --version)"
  logged "Creating $env" "$python" -m venv "$env"
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
  locked=$({ say "$top"; sha256sum "$lock" requirements/build.txt requirements/uv.txt; } | sha256sum)
  [ "$(cat "$env/.locked" 2>/dev/null)" = "$locked" ] && return
  say "Installing $(grep -c '^[a-zA-Z].*==' "$lock") locked packages into $env (about a minute)"
  [ -f "$env/.locked" ] && mv "$env/.locked" "$env/.locked-before"
  logged "Installing $lock" "$env/bin/uv" pip sync --quiet --python "$env/bin/python" --require-hashes \
    --build-constraints requirements/build.txt "$lock"
  rm -f "$env/.locked-before"
  write_whole "$env/.locked" "$locked"
}

write_whole() {
  { say "$2" >"$1.new" && mv "$1.new" "$1"; } 2>>"$log" || explain "Writing $1" "$(tail -n 1 "$log")"
}

set_up() {
  local what=$1 env=$2 python
  is_complete "$what" "$env" && return
  # One set-up at a time. The lock is on this very file, so that it leaves nothing behind.
  exec 9<"${BASH_SOURCE[0]}"
  flock -n 9 || { say "Waiting for another set-up to finish" && flock 9; }
  is_complete "$what" "$env" && return
  check_platform
  python=$(find_python) || exit 1
  if [ "$what" = main ]; then check_java; fi
  if [ "$what" != docs ]; then check_compiler "$python"; fi
  [ -f "$env/bin/uv" ] || check_disk
  make_environment "$env" "$python"
  use_pip_settings "$env/bin/python"
  export UV_PYTHON_DOWNLOADS=never
  install_uv "$env"
  install_lock "$env" "$(lock_of "$what")"
  if [ "$what" = main ]; then
    has_jars "$env" || say "Fetching the Delta JARs"
    logged "Fetching the Delta JARs" "$env/bin/python" requirements/jars.py fetch
    # The legacy editable mode is a plain path entry: type checkers and spawned workers follow it.
    logged "Installing goldlake" "$env/bin/uv" pip install --quiet --python "$env/bin/python" --no-deps \
      --no-build-isolation --config-settings editable_mode=compat --editable .
  fi
  write_whole "$env/.stamp" "$(expected_stamp "$what")"
  say "$env is ready"
}

write_locks() {
  local name
  use_pip_settings .venv/bin/python
  log=.venv/lock.log
  : >"$log"
  for name in uv build "stack-$stack" "kfp-$stack" docs; do
    say "Locking requirements/$name.in"
    logged "Locking $name.in" .venv/bin/uv pip compile --quiet --no-header --generate-hashes \
      --python .venv/bin/python ${UPGRADE:+--upgrade} --output-file "requirements/$name.txt" "requirements/$name.in"
  done
  say "Locking requirements/jars.lock"
  logged "Locking the JARs" .venv/bin/python requirements/jars.py lock
}

case ${1:-} in
  main) set_up main .venv ;;
  docs) set_up docs .venv-docs ;;
  kfp) set_up kfp .venv-kfp ;;
  lock) set_up main .venv && write_locks ;;
  *) fail "'${1:-}' is nothing to set up; it is one of main, docs, kfp, lock. Run: make setup" ;;
esac
