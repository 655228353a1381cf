#!/bin/sh
# Installs the servers and the browser that the tests talk to: as root on Debian only; else says what is missing.
set -eu
packages=""
command -v mosquitto >/dev/null 2>&1 || [ -x /usr/sbin/mosquitto ] || packages="$packages mosquitto"
command -v victoria-metrics >/dev/null 2>&1 || packages="$packages victoria-metrics"
command -v chromium >/dev/null 2>&1 || packages="$packages chromium"
# Without a CJK font the Chinese screen is a row of boxes.
{ command -v fc-list >/dev/null 2>&1 && fc-list :lang=zh | grep -q .; } || packages="$packages fontconfig fonts-wqy-microhei"
[ -n "$packages" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing for the tests:$packages"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # The tests start their own servers on free ports: the packages must not start theirs.
    policy=/usr/sbin/policy-rc.d
    made=0
    if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod +x "$policy"; made=1; fi
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $packages > /dev/null || status=$?
    [ "$made" = 0 ] || rm -f "$policy"
    exit "${status:-0}"
fi
echo "not installed, and this is not root on Debian:$packages; the tests that need them are left out" >&2
