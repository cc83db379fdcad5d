#!/bin/sh
# Makes build/berth_VERSION_ARCH.deb of what "make build" built, with Debian's dpkg-deb alone.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/node_modules/.bin:$PATH
version=$(node -p 'require("./package.json").version')
architecture=$(dpkg --print-architecture)
mkdir -p build
tree=$(mktemp -d build/deb.XXXXXX)
trap 'rm -rf "$tree"' EXIT
# mktemp made it for its owner alone, and the package would make / so.
chmod 0755 "$tree"

scripts/install.sh /usr "$tree"
install -m 0644 deploy/debian/copyright "$tree/usr/share/doc/berth/"
install -d "$tree/DEBIAN"
size=$(du -sk --exclude=DEBIAN "$tree" | cut -f 1)
sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@SIZE@/$size/" deploy/debian/control >"$tree/DEBIAN/control"
install -m 0644 deploy/debian/conffiles "$tree/DEBIAN/"
install -m 0755 deploy/debian/postinst deploy/debian/prerm deploy/debian/postrm "$tree/DEBIAN/"
package=build/berth_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zzstd --build "$tree" "$package" >/dev/null
echo "$package"
