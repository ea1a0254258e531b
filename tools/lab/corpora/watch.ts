/**
 * Streams with labels to measure what finds surprising rows: logs with attacks put in, sensors with events, logs whose lines are labelled by others.
 * Settings are chosen on `dev` streams; `report` streams are for figures. The two share neither background nor daemon of the lines put in.
 *
 * ```ts
 * for (const { name, read } of WATCHED) { const { rows, labels } = read(); }
 * ```
 */
import { readFileSync } from "node:fs";
import { motes, steamed } from "../classify/motes.ts";
import { daemonLog, undated } from "./attacks.ts";
import { type Dated, dated, injected } from "./injections.ts";

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
  /** Throws where what it is from is not there. */
  read(): Labelled;
}

/** Daemons whose attacks are put in; the first list is for report. */
const ATTACKERS = {
  report: ["sshd", "apache-auth", "postfix", "exim", "roundcube-auth", "proftpd", "mysqld-auth", "named-refused"],
  dev: ["dovecot", "asterisk", "sendmail-reject", "kerio", "vsftpd", "mongodb-auth", "assp", "cyrus-imap"],
};
/** Daemons whose lines that are no attack are put in. */
const STRANGERS = {
  report: ["sshd-journal", "monit", "freeswitch", "gitlab", "slapd", "traefik-auth"],
  dev: ["selinux-ssh", "nginx-http-auth", "haproxy-http-auth", "squid", "courier-auth"],
};

export const WATCHED: readonly Watched[] = [
  log("dpkg", "report", 1, () => dated(linesOf("/var/log/dpkg.log"), /^\S+ \S+ /)),
  log("apt-terminal", "dev", 2, () => dated(terminal(), /^$/)),
  ...motes()
    .filter(({ readings }) => readings.some(({ event }) => event))
    .map((mote) => sensor(`mote-${mote.name}`, "report", mote)),
  ...motes()
    .filter(({ readings }) => !readings.some(({ event }) => event))
    .flatMap((mote) => [1, 2].map((seed) => sensor(`mote-${mote.name}-steam-${seed}`, "dev", steamed(mote, seed)))),
  labelled("fail2ban-report", "report", ["sshd", "apache-auth", "postfix", "exim", "roundcube-auth", "named-refused"]),
  labelled("fail2ban-dev", "dev", ["dovecot", "asterisk", "sendmail-reject", "kerio", "assp", "mongodb-auth", "sogo-auth"]),
];

function log(name: string, role: Watched["role"], seed: number, background: () => Dated[]): Watched {
  const read = () =>
    injected(background(), {
      attacks: ATTACKERS[role].flatMap((daemon) => texts(daemon, true)),
      foreign: STRANGERS[role].map((daemon) => texts(daemon, false)).filter(({ length }) => length > 1),
      seed,
    });
  return { name, kind: "lines", role, read };
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

function labelled(name: string, role: Watched["role"], daemons: readonly string[]): Watched {
  const read = () => {
    const lines = daemons.flatMap(daemonLog);
    return { rows: lines.map(({ line }) => line), labels: lines.map(({ match }) => match) };
  };
  return { name, kind: "labelled", role, read };
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
