/**
 * dnsmasq 2.89 of Debian (GPL-2.0 or 3.0): a house's name server with `log-queries`. Machines ask for names they always ask for, and for some new ones;
 * a new machine comes and the server is restarted, which is no harm. Harm is tunnels of long names, names drawn at random, lists of guessed hosts, odd
 * types.
 */
import { Resolver } from "node:dns/promises";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, Log, program, sleep } from "./recorder.ts";

/** What every name that is not known is answered. */
const USUAL = / config error is REFUSED/;
const SITES = [
  "example.org",
  "debian.org",
  "weather.example",
  "mail.example",
  "time.example",
  "news.example",
  "bank.example",
  "video.example",
];
const HOSTS = ["www", "api", "cdn", "static", "login", "img", "ntp", "imap", "updates"];
const OWN = ["printer", "tv", "nas", "router", "thermostat", "doorbell"];
const WORDS = ["garden", "tea", "hotel", "train", "music", "shoe", "map", "school", "book"];
const GUESSED = ["vpn", "dev", "test", "staging", "owa", "git", "jenkins", "admin", "old", "backup", "intranet", "db"];

/** About `lines` lines of a name server's log. */
export async function recordDnsmasq(folder: string, random: () => number, lines: number): Promise<Log> {
  const draw = (most: number) => Math.floor(random() * most);
  const one = <T>(all: readonly T[]) => all[draw(all.length)]!;
  const often = <T>(all: readonly T[]) => all[Math.floor(random() ** 2 * all.length)]!;
  const port = await freePort();
  const known = SITES.flatMap((site, i) =>
    HOSTS.map((host, j) => `address=/${host}.${site}/192.0.2.${(i * 9 + j) % 250}`),
  );
  writeFileSync(
    join(folder, "conf"),
    `${known.join("\n")}\n${OWN.map((host, i) => `host-record=${host}.lan,10.0.0.${i + 2}`).join("\n")}
port=${port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nlocal=/lan/\nlog-queries=extra\nuser=root\ncache-size=200\n`,
  );
  const log = new Log(folder, USUAL);
  const server = program("dnsmasq-base", "usr/sbin/dnsmasq", [
    "libnetfilter-conntrack3",
    "libnfnetlink0",
    "libnftables1",
    "libnftnl11",
    "libmnl0",
  ]);
  const start = async () => {
    log.start(server, [
      "--keep-in-foreground",
      "--log-facility=-",
      "-C",
      join(folder, "conf"),
      `--pid-file=${join(folder, "pid")}`,
    ]);
    await sleep(500);
  };
  const ask = async (name: string, type: string, from: number) => {
    const resolver = new Resolver({ timeout: 500, tries: 1 });
    resolver.setLocalAddress(`127.0.0.${from}`);
    resolver.setServers([`127.0.0.1:${port}`]);
    await resolver.resolve(name, type).catch(() => undefined);
  };
  await start();
  let joined = false;
  const usual = async () => {
    const from = 10 + draw(joined ? 14 : 12);
    const name = random() < 0.12 ? `${one(OWN)}.lan` : `${often(HOSTS)}.${often(SITES)}`;
    await ask(name, "A", from);
    if (random() < 0.4) await ask(name, "AAAA", from);
    if (random() < 0.03) await ask(`${2 + draw(20)}.0.0.10.in-addr.arpa`, "PTR", from);
    if (random() < 0.02) await ask(`www.${one(WORDS)}${one(WORDS)}.example`, "A", from);
    if (joined && random() < 0.1) await ask(`telemetry.tv${draw(4)}.example`, "A", 23);
  };
  const letters = (length: number, all: string) => Array.from({ length }, () => all[draw(all.length)]!).join("");
  const harms = [
    async () => {
      const from = 10 + draw(12);
      for (let left = 2 + draw(5); left > 0; --left) {
        await ask(
          `${letters(48, "0123456789abcdef")}.${letters(40, "0123456789abcdef")}.t.tunnel.example`,
          "TXT",
          from,
        );
      }
    },
    async () => {
      for (let left = 2 + draw(4); left > 0; --left)
        await ask(`${letters(12 + draw(6), "abcdefghijklmnopqrstuvwxyz")}.${one(["com", "info", "biz"])}`, "A", 15);
    },
    async () => {
      for (let left = 3 + draw(4); left > 0; --left) await ask(`${one(GUESSED)}.${one(SITES)}`, "A", 200 + draw(30));
    },
    () => ask(one(SITES), one(["ANY", "SRV", "NAPTR", "SOA"]), 10 + draw(12)),
  ];
  let [restarted, next] = [false, lines * 0.22];
  for (let count = 0; count < lines; count = log.lines) {
    for (let left = 5; left > 0; --left) await usual();
    if (random() < 0.01) log.signal("SIGUSR1"); // statistics
    if (count > next) {
      next = count + lines * 0.035 * (0.5 + random());
      await log.harm(one(harms));
    }
    if (!restarted && count > lines * 0.55) {
      await log.stop();
      await start();
      [restarted, joined] = [true, true];
    }
  }
  await log.stop();
  return log;
}
