#!/usr/bin/env bash
# Makes a small Debian image with systemd, for trying the service for real (tests/service). As root.
set -eu
image=${1:?the folder of the image}
command -v debootstrap >/dev/null || { echo "missing: apt-get install debootstrap" >&2; exit 1; }
[ -e "$image/etc/os-release" ] && [ -e "$image.done" ] && exit 0
rm -rf "$image"
debootstrap --variant=minbase \
  --include=systemd,systemd-sysv,dbus,python3,python3-venv,make,libgl1,libglib2.0-0,procps \
  bookworm "$image" >&2
touch "$image.done"
