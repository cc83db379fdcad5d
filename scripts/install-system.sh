#!/bin/sh
# Installs the Debian packages that berth, its demo and its tests need. As another user than root it only says what is missing.
set -eu
what=${1:-test}

packages="ca-certificates crun runc containernetworking-plugins iptables busybox-static util-linux iproute2 gcc libc6-dev"
[ "$what" != debian ] || packages="qemu-system-x86 qemu-utils seabios debootstrap e2fsprogs openssh-client"
[ "$what" != test ] || packages="$packages docker-registry apache2-utils openssl jq procps libcap2-bin dpkg-dev"

# Toolchains count by their commands: many machines have them from elsewhere than Debian.
command -v npm >/dev/null || packages="$packages nodejs npm"

new_enough() {
  [ "$(printf '1.90\n%s\n' "$1" | sort -V | head -n 1)" = 1.90 ]
}
cargo=$(command -v cargo || true)
version=$([ -z "$cargo" ] || cargo --version 2>/dev/null | cut -d ' ' -f 2)
# Debian's own rustc is too old; the one that its browsers are built with is not, and takes the other's place.
if [ -z "$cargo" ] || { [ "$cargo" = /usr/bin/cargo ] && ! new_enough "$version"; }; then
  packages="$packages cargo-web rustc-web"
  [ "$what" = demo ] || packages="$packages rust-web-clippy rustfmt-web"
elif ! new_enough "$version"; then
  echo "$cargo is Rust ${version:-without a toolchain}: berth needs 1.90 or newer (rustup update stable)" >&2
  exit 1
elif [ "$what" != demo ] && dpkg-query -S "$cargo" 2>/dev/null | grep -q '^cargo-web:'; then
  packages="$packages rust-web-clippy rustfmt-web"
fi

missing=""
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done

if [ "$(id -u)" -ne 0 ]; then
  if [ -n "$missing" ]; then
    echo "missing Debian packages:$missing" >&2
    echo "install them with: sudo apt-get install -y --no-install-recommends$missing" >&2
  elif [ "$what" = demo ]; then
    echo "containers need root: sudo make demo" >&2
  else
    exit 0
  fi
  exit 1
fi

[ -n "$missing" ] || exit 0
echo "installing Debian packages, which may take minutes:$missing"
export DEBIAN_FRONTEND=noninteractive
install() {
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
# A list of packages that is old names files which are gone.
install 2>/dev/null || { apt-get update -qq && install; }
