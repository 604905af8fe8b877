#!/usr/bin/env bash
# Makes sure that the real servers of the tests exist: Mosquitto and Chromium from Debian, InfluxDB 2.7 from its Go module.
# Says first what it is about to install. Each can be given by an environment variable instead:
#   MOSQUITTO=/path  CHROMIUM=/path  INFLUXD=/path
# Everything is cached outside the checkout, in $SHIFU_CACHE (default ~/.cache/shifu).
# Prints nothing but progress; `setup.sh env` prints the three variables for `eval`.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${SHIFU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/shifu}
influxd_version=2.7.12
built=$cache/influxd-$influxd_version/influxd

find_mosquitto() { command -v "${MOSQUITTO:-mosquitto}" || { [ -x /usr/sbin/mosquitto ] && echo /usr/sbin/mosquitto; } || true; }
find_chromium() { command -v "${CHROMIUM:-chromium}" || command -v chromium-browser || true; }
find_influxd() {
  if [ -n "${INFLUXD:-}" ]; then command -v "$INFLUXD" || true
  elif [ -x "$built" ]; then echo "$built"
  fi
}

if [ "${1:-}" = env ]; then
  echo "export MOSQUITTO=$(find_mosquitto) CHROMIUM=$(find_chromium) INFLUXD=$(find_influxd)"
  exit 0
fi

say() { printf '[services] %s\n' "$*"; }
die() { printf '[services] %s\n' "$*" >&2; exit 1; }

packages=()
[ -n "$(find_mosquitto)" ] || packages+=(mosquitto)
[ -n "$(find_chromium)" ] || packages+=(chromium)
if [ -z "$(find_influxd)" ]; then
  [ -z "${INFLUXD:-}" ] || die "INFLUXD=$INFLUXD is not a program. Unset it to build InfluxDB $influxd_version here, or give the right path."
  for tool in clang:clang protoc:protobuf-compiler pkg-config:pkg-config; do
    command -v "${tool%%:*}" >/dev/null || packages+=("${tool##*:}")
  done
  command -v go >/dev/null || die "Go is missing: it builds InfluxDB $influxd_version for the tests. Install Go 1.22 or newer, or set INFLUXD to a ready influxd 2.7."
  command -v cargo >/dev/null || die "Rust is missing: InfluxDB's query engine needs it. Install Rust 1.75 or newer, or set INFLUXD to a ready influxd 2.7."
fi
if [ ${#packages[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || die "Missing: ${packages[*]}. Install them, or name the programs in MOSQUITTO, CHROMIUM and INFLUXD."
  say "installing Debian packages: ${packages[*]}"
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

if [ -z "$(find_influxd)" ]; then
  work=$cache/influxd-build
  say "building InfluxDB $influxd_version from its Go module into $(dirname "$built") (about three minutes, once)"
  mkdir -p "$work/bin" "$(dirname "$built")"
  cp "$here/influxd/go.mod" "$work/go.mod"
  [ -f "$here/influxd/go.sum" ] && cp "$here/influxd/go.sum" "$work/go.sum"
  printf '#!/bin/sh\nexec "$@" --cap-lints warn\n' >"$work/bin/rustc-wrapper"
  chmod +x "$work/bin/rustc-wrapper"
  (
    cd "$work"
    # Go's pkg-config wrapper must come before the system's: it builds the Flux library on the way.
    GOBIN="$work/bin" go install github.com/influxdata/pkg-config@v0.2.14
    export PATH="$work/bin:$PATH" RUSTC_WRAPPER="$work/bin/rustc-wrapper"
    if command -v rustup >/dev/null; then
      toolchain=$(rustup default 2>/dev/null | cut -d' ' -f1 || true)
      export RUSTUP_TOOLCHAIN=${RUSTUP_TOOLCHAIN:-${toolchain:-stable}}
    fi
    go build -mod=mod -tags sqlite_foreign_keys,sqlite_json -o "$built.new" github.com/influxdata/influxdb/v2/cmd/influxd
  ) >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; die "building InfluxDB failed; the whole log is $work/build.log"; }
  mv "$built.new" "$built"
fi
say "mosquitto $(find_mosquitto)"
say "chromium  $(find_chromium)"
say "influxd   $(find_influxd)"
