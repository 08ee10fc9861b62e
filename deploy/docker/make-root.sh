#!/bin/sh
# Fills a folder with what node needs to run, taken from the Debian around it, and with nothing else.
set -eu
root=$1
node=$(command -v node)

mkdir -p "$root/tmp" "$root/etc" "$root/var/lib/dpkg/status.d" "$root/usr/share/doc"
chmod 1777 "$root/tmp"
echo 'node:x:1000:1000::/app:/sbin/nologin' >"$root/etc/passwd"
echo 'node:x:1000:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"

# Under the paths that the loader looks at: /lib is a link in Debian, and a folder here.
libraries=$(ldd "$node" | grep -o '/[^ ]*')
for file in $node $libraries; do
  mkdir -p "$root$(dirname "$file")"
  cp -L "$file" "$root$file"
done

for library in $libraries; do
  dpkg -S "*/$(basename "$(readlink -f "$library")")" | grep -v '^diversion ' | cut -d: -f1
done | sort -u | while read -r package; do
  dpkg -s "$package" >"$root/var/lib/dpkg/status.d/$package"
  cp -RL --parents "/usr/share/doc/$package/copyright" "$root"
done
