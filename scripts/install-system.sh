#!/bin/sh
# Installs the Debian packages that berth, its demo and its tests need. As another user than root it only says what is missing.
set -eu

packages="crun runc containernetworking-plugins iptables busybox-static util-linux iproute2"
[ "${1:-}" = demo ] || packages="$packages docker-registry apache2-utils openssl jq procps libcap2-bin"

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
[ -n "$(ls /var/lib/apt/lists/*_Packages* 2>/dev/null)" ] || apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null; }
