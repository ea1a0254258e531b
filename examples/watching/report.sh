#!/bin/sh
# The most surprising lines of a log, for a mail: `report.sh LOG STATE`. Prints nothing where there is no alarm, so that cron sends no mail.
set -eu
saffu watch "$1" --no-follow --alarms --state "$2" | node -e '
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
' "$1"
