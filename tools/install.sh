#!/usr/bin/env bash
# Puts sonar-watch on a ship as a service, or takes it off; `make install` and `make uninstall` call it.
#
# DESTDIR   stage below this folder: nothing of the running system is touched
# PREFIX    where the program lies (default /opt/sonar-watch)
# PACKAGES  a folder of Python packages to use instead of downloading them
# What is edited on board is never replaced: /etc/sonar-watch, /var/lib/sonar-watch.
set -eu
umask 022 # the service runs as another user, who must be able to read all of it
cd "$(dirname "$0")/.."
action=${1:?install, files or uninstall}
DESTDIR=${DESTDIR:-}
PREFIX=${PREFIX:-/opt/sonar-watch}
PYTHON=${PYTHON:-python3}
unit=$DESTDIR/usr/lib/systemd/system
sysusers=$DESTDIR/usr/lib/sysusers.d
tmpfiles=$DESTDIR/usr/lib/tmpfiles.d
sysctl=$DESTDIR/usr/lib/sysctl.d
etc=$DESTDIR/etc/sonar-watch
bin=$DESTDIR/usr/local/bin
home=$DESTDIR$PREFIX

if [ -z "$DESTDIR" ] && [ "$(id -u)" -ne 0 ]; then
  echo "make $action: expected root (sudo make $action), or DESTDIR for a staged one" >&2
  exit 1
fi

live() { # on the running system, where systemd is there to be told
  [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]
}

install_program() {
  mkdir -p "$home"
  # Packages that are there already bring a pip and setuptools of their own.
  [ -x "$home/venv/bin/python" ] || "$PYTHON" -m venv ${PACKAGES:+--without-pip} "$home/venv"
  rm -rf build # what an older version left there would be installed again
  local pip=("$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check)
  if [ -n "${PACKAGES:-}" ]; then
    echo "$PACKAGES" > "$(echo "$home"/venv/lib/python3*/site-packages)/packages.pth"
    "${pip[@]}" --no-deps --no-build-isolation --force-reinstall .
  else
    echo "installing into $PREFIX/venv (about 6 GB; a few minutes)"
    "${pip[@]}" --constraint constraints.txt --upgrade '.[detect]'
    "${pip[@]}" --no-deps --force-reinstall .   # the same version number, other code
  fi
  if [ -n "$DESTDIR" ]; then # the venv must believe that it lies where it will lie
    grep -rlIF "$home" "$home/venv/bin" "$home/venv/pyvenv.cfg" | xargs -r sed -i "s|$home|$PREFIX|g"
  fi
}

install_files() {
  install -d "$unit" "$sysusers" "$tmpfiles" "$sysctl" "$etc" "$bin" \
    "$home/share/doc" "$home/share/config"
  sed "s|/opt/sonar-watch|$PREFIX|g" systemd/sonar-watch.service > "$unit/sonar-watch.service"
  install -m 644 systemd/sonar-watch.sysusers "$sysusers/sonar-watch.conf"
  install -m 644 systemd/sonar-watch.tmpfiles "$tmpfiles/sonar-watch.conf"
  install -m 644 systemd/sonar-watch.sysctl "$sysctl/10-sonar-watch.conf"
  if [ -x "$DESTDIR/usr/bin/nvidia-modprobe" ]; then
    install -m 644 systemd/sonar-watch-gpu.service "$unit/sonar-watch-gpu.service"
    install -D -m 644 systemd/50-gpu.conf "$unit/sonar-watch.service.d/50-gpu.conf"
  fi
  install -m 644 config/*.yaml "$home/share/config/"
  install -m 644 README.md LICENSE CHANGELOG.md docs/*.md "$home/share/doc/"
  ln -sfn "$PREFIX/venv/bin/sonar-watch" "$bin/sonar-watch"
  if [ -e "$etc/sonar_watch.yaml" ]; then
    echo "$etc/sonar_watch.yaml: kept as it is; examples lie in $PREFIX/share/config"
  else
    install -m 644 config/kongsberg_vessel.yaml "$etc/sonar_watch.yaml"
  fi
}

tell_system() {
  systemd-sysusers sonar-watch.conf
  systemd-tmpfiles --create sonar-watch.conf
  # Only ever raised; in a container it is the host's, and stays.
  if [ "$(cat /proc/sys/net/core/rmem_max 2>/dev/null || echo 0)" -lt 8388608 ]; then
    /usr/lib/systemd/systemd-sysctl 10-sonar-watch.conf || true
  fi
  systemctl daemon-reload
  systemctl try-restart sonar-watch
  echo "next: edit /etc/sonar-watch/sonar_watch.yaml, sonar-watch check-config on it, then"
  echo "      systemctl enable --now sonar-watch"
}

uninstall() {
  if live; then systemctl disable --now sonar-watch 2>/dev/null || true; fi
  rm -rf "$unit/sonar-watch.service" "$unit/sonar-watch.service.d/50-gpu.conf" \
    "$unit/sonar-watch-gpu.service" "$sysctl/10-sonar-watch.conf" \
    "$sysusers/sonar-watch.conf" "$tmpfiles/sonar-watch.conf" \
    "$bin/sonar-watch" "$home/venv" "$home/share"
  rmdir --ignore-fail-on-non-empty "$unit/sonar-watch.service.d" "$home" 2>/dev/null || true
  if live; then systemctl daemon-reload; fi
  echo "kept: /etc/sonar-watch, /var/lib/sonar-watch and the user sonar-watch"
}

case $action in
  install) install_program; install_files; if live; then tell_system; fi ;;
  files) install_files ;;
  uninstall) uninstall ;;
  *) echo "expected install, files or uninstall, received $action" >&2; exit 2 ;;
esac
