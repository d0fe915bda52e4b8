#!/usr/bin/env bash
# Says which system packages are missing, with the line that installs them; as root, runs it.
# With "test" as the second word: those that only tests need, too, where they can be installed.
set -eu
python=${1:-python3}
purpose=${2:-use}

missing=()
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || missing+=(python3)
"$python" -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
# What `import cv2` needs: libGL.so.1 and libgthread-2.0.so.0.
libraries=$( (ldconfig -p || /sbin/ldconfig -p) 2>/dev/null)
grep -q 'libGL\.so\.1' <<<"$libraries" || missing+=(libgl1)
grep -q 'libgthread-2\.0\.so\.0' <<<"$libraries" || missing+=(libglib2.0-0)

# systemd-analyze judges the unit. Who is not root does without: those tests say that they skip.
if [ "$purpose" = test ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  command -v systemd-analyze >/dev/null || missing+=(systemd)
fi

[ ${#missing[@]} -eq 0 ] && exit 0
line="apt-get install -y ${missing[*]}"
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "installing system packages: ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $line
else
  echo "missing system packages; run: sudo $line" >&2
  exit 1
fi
