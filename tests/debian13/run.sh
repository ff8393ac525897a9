#!/usr/bin/env bash
# The README's commands on Debian 13, as somebody who has just installed it, and both stacks on one another's homes.
#
#   tests/debian13/run.sh short    set-up, `make run`, and each stack reads what the other wrote
#   tests/debian13/run.sh readme   each block of the README and what it prints, and nothing else
#   tests/debian13/run.sh whole    all of it and `make test`, and each stack goes on with what the other wrote
#
# Debian 13 is a root folder made by debootstrap, in which is installed what the README names and nothing else. It is
# kept for the next call and made again when what it was made from has changed. Everything else, the clone included, is
# new in each call. CURRENT_ROOT names another folder than /var/cache/goldlake/debian-13; it holds about 8 GB.
#
# The root is entered in namespaces of its own, so that its mounts and processes end with the command.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly length=${1:-whole}
readonly folder=${CURRENT_ROOT:-/var/cache/goldlake/debian-13}
readonly root=$folder/root
# The stranger's home. It has the same name inside and outside, as a goldlake home records absolute paths.
readonly stranger=$folder/stranger
readonly clone=$stranger/goldlake
# A number that no account outside is likely to have: what lies there is nobody's but root's.
readonly user_id=63113
readonly old_home=$stranger/homes/stack-1.16
readonly new_home=$clone/var/demo
# How this machine reaches package indexes holds inside too; nothing else of its environment does.
readonly passed_on="PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_CERT PIP_DEFAULT_TIMEOUT UV_DEFAULT_INDEX SSL_CERT_FILE
  http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY CI"

say() { printf '\n== %s\n' "$*"; }

skip() {
  printf '\nSKIPPED: make test-current: %s\n' "$*"
  exit 0
}

fail() {
  printf 'goldlake test-current: %s\n' "$*" >&2
  exit 1
}

check_machine() {
  [ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || skip "it needs Linux on x86-64, and this is $(uname -sm)"
  [ "$(id -u)" = 0 ] || skip "only root can enter a root folder. Run: sudo make test-current"
  local tool
  for tool in debootstrap unshare chroot; do
    type -P $tool >/dev/null || skip "$tool is missing. Run: apt-get install -y debootstrap util-linux coreutils"
  done
  unshare --mount --pid --fork true 2>/dev/null || skip "this machine does not let root make namespaces"
  [ "$(cat .venv/.stack)" = 1.16 ] || skip ".venv has stack $(cat .venv/.stack), which is what would be tested"
}

# ---------------------------------------------------------------------------------------------------- the root folder

# The one command that the README has for a new Debian.
install_command() {
  local found
  found=$(grep -o 'apt-get install -y [a-z0-9.+ -]*openjdk-21[a-z0-9.+ -]*' README.md | head -n 1) ||
    fail "README.md has no line 'apt-get install -y … openjdk-21-…' to follow"
  printf '%s\n' "$found"
}

# Debian's mirror is the one that this machine's own packages come from, else debootstrap's.
mirror() {
  apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk '$1 == "Debian" && !found {print $2; found = 1}'
}

inputs() {
  { install_command; cat tests/debian13/run.sh; find /usr/local/share/ca-certificates -type f -exec cat {} +; } |
    sha256sum
}

make_root() {
  if [ "$(cat "$root/.made-from" 2>/dev/null)" = "$(inputs)" ]; then
    say "Debian 13 in $root, from an earlier call"
    return
  fi
  say "Making Debian 13 in $root (about two minutes)"
  rm -rf --one-file-system "$root"
  debootstrap --variant=minbase --include=ca-certificates trixie "$root" $(mirror) >"$folder/root.log" 2>&1 ||
    fail "debootstrap failed: $(tail -n 1 "$folder/root.log") For the details, run: less $folder/root.log"
  cp -r /usr/local/share/ca-certificates "$root/usr/local/share/"
  mkdir -p "$root/$stranger" "$root/srv/data"
  echo "  \$ $(install_command)"
  as_root "update-ca-certificates && DEBIAN_FRONTEND=noninteractive $(install_command) &&
    useradd --uid $user_id --home-dir $stranger --shell /bin/bash stranger" >>"$folder/root.log" 2>&1 ||
    fail "the README's command failed: $(tail -n 1 "$folder/root.log") For the details, run: less $folder/root.log"
  inputs >"$root/.made-from"
}

# Runs a shell command in the root folder, in its own namespaces: inside USER COMMAND [VARIABLE=VALUE...]
inside() {
  local user=$1 command=$2 name
  shift 2
  for name in $passed_on; do
    [ -z "${!name:-}" ] || set -- "$@" "$name=${!name}"
  done
  mkdir -p "$stranger"
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  unshare --mount --pid --fork --kill-child bash -euc '
    root=$1 stranger=$2 data=$3 user=$4 command=$5
    shift 5
    mount --make-rprivate /
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/tmp"
    mount --bind "$stranger" "$root$stranger"
    [ -z "$data" ] || { mount --bind "$data" "$root/srv/data" && mount -o remount,bind,ro "$root/srv/data"; }
    exec chroot --userspec="$user" "$root" env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin \
      HOME="$([ "$user" = root ] && echo /root || echo "$stranger")" LANG=C.UTF-8 "$@" bash -euc "$command"
  ' inside "$root" "$stranger" "${GOLDLAKE_TEST_DATA:-}" "$user" "$command" "$@"
}

as_root() { inside root "$@"; }

as_stranger() {
  echo "  \$ $1"
  inside stranger "cd $clone && $1" ${GOLDLAKE_TEST_DATA:+GOLDLAKE_TEST_DATA=/srv/data} "${@:2}"
}

# --------------------------------------------------------------------------------------------------------- the work

# Committed work only: that is what a stranger would clone.
clone_project() {
  [ -z "$(git status --porcelain)" ] || echo "  Not committed, so not in it: $(git status --porcelain | wc -l) files"
  rm -rf --one-file-system "$clone" "$stranger/homes"
  git bundle create --quiet "$stranger/goldlake.bundle" HEAD
  chown -R $user_id:$user_id "$stranger"
  inside stranger "git -c advice.detachedHead=false -c init.defaultBranch=main clone --quiet $stranger/goldlake.bundle $clone"
}

# pytest over both homes: the stack that runs it wrote the first and reads the second.
compare() {
  local which=other_stack
  [ "$length" = whole ] || which="other_stack and not long"
  echo "-m pytest -m '$which' tests/stacks"
}

main() {
  check_machine
  mkdir -p "$folder"
  exec 9>"$folder/lock"
  flock -n 9 || fail "another call is at work in $folder. Run it again later, or with another CURRENT_ROOT"
  make_root
  say "A stranger clones $(git log -1 --format='%h, %s')"
  clone_project
  say "Set-up"
  as_stranger "make setup"
  if [ "$length" != short ]; then
    say "Each block of the README"
    as_stranger "make test-long PART=readme"
  fi
  [ "$length" != readme ] || return 0
  say "The main job"
  as_stranger "make run"
  if [ "$length" = whole ]; then
    say "The tests"
    as_stranger "make test"
  fi
  say "The same job with stack 1.16, on this machine"
  .venv/bin/goldlake run chicago_crime --home "$old_home" </dev/null
  chown -R $user_id:$user_id "$old_home"
  say "Stack 1.21 reads what stack 1.16 wrote"
  as_stranger ".venv/bin/python $(compare)" GOLDLAKE_OWN_HOME="$new_home" GOLDLAKE_OTHER_HOME="$old_home"
  say "Stack 1.16 reads what stack 1.21 wrote"
  GOLDLAKE_OWN_HOME="$old_home" GOLDLAKE_OTHER_HOME="$new_home" bash -c ".venv/bin/python $(compare)"
}

main
