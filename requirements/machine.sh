# What this machine is and has: which stack fits it, and a Python, Java and compiler for that stack.
#
# Read by setup.sh, for bash 3.2 too (macOS), and for the tools of a minimal system: no sha256sum, flock or realpath.

# The stacks, newest first; a change here is a change to the table in README.md too.
readonly stacks="1.21 1.16"

pythons_of() {
  case $1 in
    1.21) say "3.13 3.12 3.11 3.10" ;;
    1.21-kfp) say "3.11 3.10" ;; # kfp 2.16 wants nothing newer
    1.16 | 1.16-kfp) say "3.10" ;;
  esac
}

needs_of() {
  case $1 in
    1.21) say "Linux on x86-64 with glibc 2.39 or later, or macOS on arm64" ;;
    1.16) say "Linux on x86-64 with glibc 2.17 or later" ;;
  esac
}

fits() {
  case "$1 $(uname -s) $(uname -m)" in
    "1.21 Linux x86_64") has_glibc 2.39 ;;
    "1.21 Darwin arm64") true ;;
    "1.16 Linux x86_64") has_glibc 2.17 ;;
    *) false ;;
  esac
}

glibc() {
  local answer
  answer=$(getconf GNU_LIBC_VERSION 2>/dev/null) || return
  say "${answer#* }"
}

has_glibc() {
  local found
  found=$(glibc) && [ "$(printf '%s\n' "$1" "$found" | sort -V | head -n 1)" = "$1" ]
}

this_machine() {
  case $(uname -s) in
    Darwin) say "macOS on $(uname -m)" ;;
    Linux) say "Linux on $(uname -m | sed 's/x86_64/x86-64/')" "$(
      if glibc >/dev/null; then say "with glibc $(glibc)"; else say "without glibc"; fi)" ;;
    *) say "$(uname -s) on $(uname -m)" ;;
  esac
}

# ------------------------------------------------------------------------------------------------------- the stack

# Prints the stack to take: the one that STACK names, else the one that .venv has, else the newest that fits.
choose_stack() {
  local found it fitting=""
  for it in $stacks; do
    if fits "$it"; then fitting=${fitting:-$it}; fi
  done
  if [ -n "${STACK:-}" ]; then
    is_stack "$STACK" || fail "there is no stack '$STACK'; there are: $stacks. Run: make setup STACK=${fitting:-1.21}"
    fits "$STACK" || fail "stack $STACK needs $(needs_of "$STACK"), and this is $(this_machine)." \
      "Run: ${fitting:+make setup STACK=$fitting}$([ -n "$fitting" ] || container)"
    say "$STACK"
    return
  fi
  [ -n "$fitting" ] || fail "no stack fits this machine, $(this_machine):$(for it in $stacks; do
    printf ' stack %s needs %s;' "$it" "$(needs_of "$it")"; done) run one of those, or: $(container)"
  found=$(cat .venv/.stack 2>/dev/null)
  if is_stack "$found" && fits "$found"; then say "$found"; else say "$fitting"; fi
}

is_stack() { case " $stacks " in *" ${1:-none} "*) true ;; *) false ;; esac; }

container() { say "docker run -it --platform linux/amd64 debian:13"; }

# Why this stack, in one line.
reason() {
  local newest=${stacks%% *}
  if [ -n "${STACK:-}" ]; then
    say "STACK names it"
  elif [ "$1" = "$newest" ] || ! fits "$newest"; then
    say "this is $(this_machine)$([ "$1" = "$newest" ] || say "; stack $newest needs $(needs_of "$newest")")"
  else
    say ".venv has it; for the newer one: make setup STACK=$newest"
  fi
}

# ------------------------------------------------------------------------------------------------------ the Python

# Interpreters that may be Python $1, best first. A pyenv shim can exist and still fail, so the folders of pyenv's
# versions are searched as well.
python_candidates() {
  local root
  type -aP "python$1" python3 python
  {
    say "${PYENV_ROOT:-}"
    pyenv root 2>/dev/null
    say "$HOME/.pyenv"
  } | awk 'NF && !seen[$0]++' | while read -r root; do
    find "$root/versions" -maxdepth 3 -path "*/$1.*/bin/python$1" 2>/dev/null | sort -Vr
  done
}

# Prints the interpreter, of the first of these versions that there is; a failure is one line that says which kind.
find_python() {
  local versions=$1 version candidate missing lacking="" name
  if [ -n "${PYTHON:-}" ] && ! is_python "$PYTHON" "$versions"; then
    fail "PYTHON=$PYTHON is not a working Python ${versions// / or }. Run: unset PYTHON"
  fi
  while read -r version candidate; do
    is_python "$candidate" "$version" || continue
    missing=$(missing_modules "$candidate")
    if [ -z "$missing" ]; then
      say "$candidate"
      return
    fi
    lacking=${lacking:-"$candidate:$missing"}
  done < <(
    if [ -n "${PYTHON:-}" ]; then say "$(version_of "$PYTHON") $(type -P "$PYTHON")" && exit; fi
    for version in $versions; do python_candidates "$version" | sed "s/^/$version /"; done
  )
  name=${lacking%%:*}
  missing=${lacking#*: }
  case $missing in
    "") fail "Python ${versions// / or } was not found on PATH nor under pyenv. Run: $(python_install "$versions")" ;;
    *ensurepip* | *venv*)
      fail "$name has no module venv. Run: $(as_root apt-get install -y "python$(version_of "$name")-venv")" ;;
    *) fail "$name was built without $missing." \
      "Run: $(build_tools) && pyenv install --force $(version_of "$name")" ;;
  esac
}

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

is_python() {
  local version
  version=$(version_of "$1") && [ -n "$version" ] && case " $2 " in *" $version "*) true ;; *) false ;; esac
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

build_tools() {
  if [ "$(uname -s)" = Darwin ]; then
    say "xcode-select --install"
  else
    as_root apt-get install -y git build-essential libssl-dev libsqlite3-dev libbz2-dev libffi-dev zlib1g-dev \
      liblzma-dev
  fi
}

# A system of glibc 2.39 brings a Python that fits, unless there is one already, which then was of no use.
python_install() {
  local version=${1%% *}
  if [ "$(uname -s)" = Darwin ]; then
    say "brew install python@$version"
  elif type -P pyenv >/dev/null; then
    say "pyenv install $version"
  elif has_glibc 2.39 && ! type -P python3 >/dev/null && [[ $1 == *3.12* ]]; then
    as_root apt-get install -y python3-venv python3-dev
  else
    say "$(build_tools) && git clone https://github.com/pyenv/pyenv ~/.pyenv && ~/.pyenv/bin/pyenv install $version"
  fi
}

# ------------------------------------------------------------------------------------------- Java and the compiler

java_install() {
  if [ "$(uname -s)" = Darwin ]; then
    say "brew install openjdk@21 &&" \
      "export JAVA_HOME=\$(brew --prefix openjdk@21)/libexec/openjdk.jdk/Contents/Home"
  elif has_glibc 2.39; then
    as_root apt-get install -y openjdk-21-jre-headless
  else
    as_root apt-get install -y openjdk-17-jre-headless
  fi
}

# Spark takes the Java of JAVA_HOME before the one on PATH; so does this check.
check_java() {
  local java version install
  install=$(java_install)
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
      "Run: $([ "$(uname -s)" = Darwin ] && build_tools || as_root apt-get install -y g++)"
  [ -f "$include/Python.h" ] || fail "$include/Python.h is missing, and pyfarmhash has to be compiled." \
    "Run: $(as_root apt-get install -y "python$(version_of "$python")-dev")"
}
