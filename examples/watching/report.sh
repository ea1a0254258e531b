#!/bin/sh
# The most surprising lines of a log, for a mail: `report.sh LOG STATE`. Prints nothing where there is no alarm, so that cron sends no mail.
set -eu
PATH=$PATH:/usr/local/bin # which cron's leaves out
found=$(mktemp -d)
trap 'rm -r "$found"' EXIT
# News, such as that the log was rotated, would be a mail each day: they are printed where it fails.
saffu watch "$1" --no-follow --alarms --state "$2" >"$found/alarms" 2>"$found/news" || {
  code=$?
  cat "$found/news" >&2
  exit "$code"
}
node -e '
  let read = "";
  process.stdin.on("data", (chunk) => { read += chunk; });
  process.stdin.on("end", () => {
    const alarms = read.split("\n").filter(Boolean).map((row) => JSON.parse(row)).filter(({ alarm }) => alarm !== "end");
    if (alarms.length === 0) return;
    console.log(`${alarms.length} surprising lines in ${process.argv[1]}; those that surprised most:\n`);
    for (const { line, score, text, why } of alarms.sort((a, b) => b.score - a.score).slice(0, 10)) {
      console.log(`${line}: ${text.slice(0, 200)}`);
      console.log(`    ${score.toFixed(0)} bits: ${why.map(({ text }) => text).join(", ")}\n`);
    }
  });
' "$1" <"$found/alarms"
