#!/bin/sh
# Deletes, once a day, the keys in a list, and leaves a dated report. For cron, or a systemd timer.
#
#   cron.sh LIST FOLDER [FLAG...]
#
# LIST is a file that something else writes; FOLDER keeps a copy of it and the report of every day; the flags are
# passed on to `kvsweep delete`. Token and ids come from the environment. Set KVSWEEP to the program's path if it is not
# in PATH.
#
# Run it as often as you like: a finished day is skipped, an interrupted day is resumed, a failed day is retried and does
# not block the following days, and two runs at once do no harm, because the second finds the report locked.
set -eu

if [ "$#" -lt 2 ]; then
    echo "usage: cron.sh LIST FOLDER [FLAG...]" >&2
    exit 2
fi
list=$1
folder=$2
shift 2

# A signal to this script (as PID 1 of a container, too) is passed on to kvsweep as SIGTERM; kvsweep finishes what is in
# flight, and its exit code is needed here.
child=''
received=''
pending=''
again=''
forward() {
    kill -TERM "$child" 2>/dev/null || true
}
on_signal() {
    received=${received:-$1}
    again=1
    if [ -n "$child" ]; then
        forward
    else
        pending=1
    fi
}
trap 'on_signal 129' HUP
trap 'on_signal 130' INT
trap 'on_signal 143' TERM

# Runs a command and sets `code`. A terminal sends SIGHUP and SIGINT to the command as well: it ignores them, because a
# second signal would end it at once.
run() {
    code=''
    (
        trap '' HUP INT
        exec "$@"
    ) </dev/null &
    child=$!
    if [ -n "$pending" ]; then
        forward
    fi
    again=1
    while [ -n "$again" ]; do
        again=''
        ended=0
        wait "$child" || ended=$?
        # 127 the second time: the shell no longer knows the process, and the first code is the right one.
        if [ -z "$code" ] || [ "$ended" -ne 127 ]; then
            code=$ended
        fi
    done
    child=''
    if [ "$code" -eq 143 ] && [ -n "$received" ]; then
        code=$received
    fi
}

say() {
    echo "cron.sh: $*" >&2
}

umask 077
mkdir -p "$folder"
today=$(date -u +%Y%m%d)

# A copy, because LIST may be replaced while its keys are deleted, and --resume needs the same list. The extension, if
# any, determines the format.
worst=0
name=${list##*/}
case $name in
?*.*) extension=.${name##*.} ;;
*) extension='' ;;
esac
keys=$folder/keys-$today$extension
if [ ! -e "$keys" ]; then
    if cp -- "$list" "$folder/.copy.$$"; then
        # If two runs do this at once, only one creates the file.
        ln -- "$folder/.copy.$$" "$keys" 2>/dev/null || [ -e "$keys" ]
    else
        worst=1
        say "$today: cannot copy the list $list"
    fi
    rm -f -- "$folder/.copy.$$"
fi

# The oldest first: a day that the quota or an outage interrupted is finished before the next one begins.
for keys in "$folder"/keys-*; do
    [ -e "$keys" ] || continue
    day=${keys##*/keys-}
    day=${day%%.*}
    if [ -e "$folder/done-$day" ]; then
        continue
    fi
    if [ -n "$received" ]; then
        exit "$received"
    fi
    for attempt in first second; do
        run "${KVSWEEP:-kvsweep}" delete "$keys" --yes --resume --report "$folder/report-$day.csv" \
            --failures "$folder/failures-$day.csv" --max-failures 5% "$@"
        # Some keys are not deleted: once more, those alone.
        [ "$code" -eq 3 ] && [ "$attempt" = first ] && [ -z "$received" ] || break
    done
    case $code in
    0)
        : >"$folder/done-$day"
        ;;
    3)
        # Everything was tried twice. What is left needs a person, not another attempt tomorrow.
        : >"$folder/done-$day"
        say "$day: some keys are not deleted; see $folder/report-$day.csv and failures-$day.csv"
        [ "$worst" -ne 0 ] || worst=3
        ;;
    5 | 129 | 130 | 143)
        say "$day: stopped early; the next run resumes it"
        exit "$code"
        ;;
    11)
        say "$day: another run is processing it"
        exit "$worst"
        ;;
    *)
        # The next run tries it again; the days after it are processed now.
        say "$day: kvsweep ended with code $code; needs attention"
        worst=$code
        ;;
    esac
done
exit "$worst"
