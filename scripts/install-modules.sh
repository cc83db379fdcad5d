#!/bin/sh
# Installs the npm packages. npm leaves out, without a word, optional packages that do not support the Node it runs on, and
# the native parts of the linter and the test runner are such: on an old Node, npm runs on the one that package.json pins.
set -eu
cd "$(dirname "$0")/.."

# The Node in there is about to be replaced.
PATH=${PATH#"$PWD/node_modules/.bin:"}
command -v npm >/dev/null || {
  echo "npm is missing: install Node.js 18 or newer with npm (apt-get install nodejs npm)" >&2
  exit 1
}

install="npm ci --no-audit --no-fund --loglevel=error"
new_enough='const [major, minor] = process.versions.node.split(".").map(Number);
process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1)'
if node -e "$new_enough"; then
  echo "installing npm dependencies"
  exec $install
fi
pinned=$(node -p 'require("./package.json").dependencies.node')
echo "installing npm dependencies with Node $pinned, as $(node --version) is too old for some"
exec npm exec --yes --loglevel=error --package="node@$pinned" --package=npm@11.19.1 -- $install
