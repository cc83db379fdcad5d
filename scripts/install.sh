#!/bin/sh
# Installs what "make build" built: scripts/install.sh PREFIX DESTDIR. The Debian package is made of the same files.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/node_modules/.bin:$PATH
prefix=$1
root=${2:-}
case $prefix in /*) ;; *) echo "PREFIX must be an absolute path, not \"$prefix\"" >&2; exit 1 ;; esac
[ "$prefix" != / ] || prefix=
# Over an earlier version: what it had and this one has not must go.
lib=$root$prefix/lib/berth
rm -rf "$lib"

install -d "$lib/bin" "$lib/node_modules/.bin" "$root$prefix/libexec/berth" "$root$prefix/bin" "$root$prefix/sbin"
install -m 0755 bin/berth bin/berthd "$lib/bin/"
install -m 0644 package.json "$lib/"
# Copies the files and directories that standard input names, kept in their places and owned by whoever installs.
place() { tar -c --no-wildcards-match-slash --mode=u+rwX,go+rX,go-w "$@" -T - | tar -x --no-same-owner -C "$lib"; }

# Tests and benchmarks stay at home.
find src proto packages -type f ! -name '*.test.ts' ! -path '*/testing/*' ! -path 'src/bench/*' | place

# The packages that run berth, by the lock file, with their licences but without what only people and compilers read.
modules() {
  node -e '
    const packages = Object.entries(require("./package-lock.json").packages);
    const needed = packages.filter(([path, { dev, devOptional }]) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && !dev && !devOptional);
    console.log(needed.map(([path]) => path).filter((path) => path !== "node_modules/node").join("\n"));'
}
unread() {
  for name in test tests docs example examples benchmark benchmarks .github; do
    echo "--exclude=node_modules/*/$name --exclude=node_modules/@*/*/$name"
  done
  for name in '*.map' '*.ts' '*.mts' '*.cts' 'README*' 'CHANGELOG*'; do echo "--exclude=$name"; done
}
set -f
# shellcheck disable=SC2046
modules | place $(unread)
set +f
install -m 0755 node_modules/node/bin/node "$lib/node_modules/.bin/node"
install -D -m 0644 node_modules/node/node_modules/node-*/LICENSE "$lib/node_modules/.bin/LICENSE"
for program in berth-agent berth-shim berth-pause; do
  install -m 0755 native/target/*/release/"$program" "$root$prefix/libexec/berth/"
done
ln -sf ../lib/berth/bin/berth "$root$prefix/bin/berth"
ln -sf ../lib/berth/bin/berthd "$root$prefix/sbin/berthd"

share=$root$prefix/share
install -d "$share/man/man1" "$share/man/man8" "$share/berth" "$share/doc/berth" \
  "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d"
node scripts/man.ts | gzip -9n >"$share/man/man1/berth.1.gz"
gzip -9nc deploy/man/berthd.8 >"$share/man/man8/berthd.8.gz"
bin/berth completion bash >"$share/bash-completion/completions/berth"
bin/berth completion zsh >"$share/zsh/vendor-completions/_berth"
bin/berth completion fish >"$share/fish/vendor_completions.d/berth.fish"
install -m 0644 deploy/systemd/10-berth.conflist "$share/berth/"
# Side by side, so links between them lose the directories that they have in a checkout.
install -d "$share/doc/berth/grafana"
for text in README.md ARCHITECTURE.md CHANGELOG.md CONTRIBUTING.md docs/security.md deploy/systemd/INSTALL.md; do
  sed -E 's#\]\((docs|deploy|deploy/systemd)/#](#g' "$text" >"$share/doc/berth/${text##*/}"
  chmod 0644 "$share/doc/berth/${text##*/}"
done
install -m 0644 LICENSE deploy/systemd/config.toml "$share/doc/berth/"
install -m 0644 deploy/grafana/* "$share/doc/berth/grafana/"
install -d "$root$prefix/lib/systemd/system"
sed "s|/usr/lib/berth|$prefix/lib/berth|g" deploy/systemd/berthd.service >"$root$prefix/lib/systemd/system/berthd.service"

# What the operator may have changed stays.
install -d "$root/etc/berth" "$root/etc/cni/net.d"
[ -e "$root/etc/berth/config.toml" ] || install -m 0600 deploy/systemd/config.toml "$root/etc/berth/config.toml"
