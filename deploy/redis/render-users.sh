#!/bin/sh
# render-users.sh USERS_ACL FOLDER: the file with the SHA-256 of each user's password in its place.
# A user's password is in FOLDER/<user>/redis; a line feed at its end is no part of it.
set -eu
while read -r word name rest; do
  hash=0000000000000000000000000000000000000000000000000000000000000000
  if [ "$name" != default ]; then
    [ -s "$2/$name/redis" ] || { echo "no password in $2/$name/redis" >&2; exit 1; }
    hash=$(tr -d '\r\n' <"$2/$name/redis" | sha256sum | cut -d ' ' -f 1)
  fi
  printf '%s %s %s\n' "$word" "$name" "$(printf %s "$rest" | sed "s/#0\{64\}/#$hash/")"
done <"$1"
