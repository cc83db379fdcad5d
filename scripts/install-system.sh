#!/bin/sh
# Installs the Debian packages that berth, its demo and its tests need. As another user than root it only says what is missing.
set -eu

packages="crun runc containernetworking-plugins iptables busybox-static util-linux iproute2 gcc libc6-dev"
[ "${1:-}" = demo ] || packages="$packages docker-registry apache2-utils openssl jq procps libcap2-bin dpkg-dev"

# Toolchains count by their commands: many machines have them from elsewhere than Debian.
command -v npm >/dev/null || packages="$packages nodejs npm"
# Debian 12's own rustc is too old; the one that its browsers are built with is not.
command -v cargo >/dev/null || packages="$packages cargo-web rustc-web"

missing=""
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "missing Debian packages:$missing" >&2
  echo "install them with: sudo apt-get install -y --no-install-recommends$missing" >&2
  exit 1
fi
echo "installing Debian packages:$missing"
export DEBIAN_FRONTEND=noninteractive
install() {
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
# A list of packages that is old names files which are gone.
install 2>/dev/null || { apt-get update -qq && install; }
