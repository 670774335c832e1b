# Sourced by test/run, example/run and bench/run:
#
#   ensure_packages PACKAGE...   sees to it that these Debian packages are installed
#
# Installs what is missing: as root at once; on a terminal it asks before it uses sudo; without a terminal it uses sudo only
# where that asks for no password. With install=no, or where there is no apt, it says what is needed and goes on: what is
# missing may be there by another way.

missing_packages() {
  local package
  for package; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

ensure_packages() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "No apt here. These Debian packages, or what holds the same, are needed: $*" >&2
    return 0
  fi
  local missing
  # shellcheck disable=SC2207 # names of packages have no blanks
  missing=($(missing_packages "$@"))
  ((${#missing[@]})) || return 0

  local by_hand="apt-get install ${missing[*]}" as_root=()
  if [[ ${install:-yes} == no ]]; then
    echo "Not installed: ${missing[*]}" >&2
    return 0
  elif ((EUID)); then
    as_root=(sudo)
    if ! command -v sudo >/dev/null; then
      echo "Missing packages, and neither root nor sudo to install them. As root: $by_hand" >&2
      return 1
    elif [[ -t 0 && -z ${CI:-} ]]; then
      local answer
      read -r -p "Install with sudo: ${missing[*]}? [y/N] " answer
      [[ $answer == [yY]* ]] || { echo "As root: $by_hand" >&2; return 1; }
    elif ! sudo -n true 2>/dev/null; then
      echo "Missing packages, and sudo would ask for a password. As root: $by_hand" >&2
      return 1
    fi
  fi
  echo "Installing ${missing[*]}" >&2
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
  local log
  log=$(mktemp)
  if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } </dev/null >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    echo "apt could not install the packages. By hand: $by_hand" >&2
    return 1
  fi
  rm -f "$log"
}
