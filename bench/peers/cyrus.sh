#!/bin/sh
# Unpacks Cyrus and what it needs from Debian's packages into build/cyrus; nothing is installed.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/cyrus/deb
cd build/cyrus/deb
apt-get download cyrus-common cyrus-imapd cyrus-pop3d cyrus-nntpd libical3 libzephyr4 libpcre3 sasl2-bin
for package in *.deb; do dpkg -x "$package" ..; done
