#!/bin/sh
# Says where tests put their files: into memory where there is room for them, which spares a test in six of its time.
set -eu
place=/dev/shm
room=4000000 # KB; all files of a whole run together are a fifth of that
free() { df -Pk "$place" | awk 'NR == 2 { print $4 }'; }
left() { awk '/^MemAvailable:/ { print $2 }' /proc/meminfo; }
if [ -w "$place" ] && [ "$(free)" -gt "$room" ] && [ "$(left)" -gt "$((2 * room))" ]; then
    echo "$place"
else
    echo "${TMPDIR:-/tmp}"
fi
