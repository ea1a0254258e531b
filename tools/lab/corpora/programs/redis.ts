/**
 * Redis 7.0 of Debian (BSD-3-Clause) at its most talkative: a cache that clients connect to, that saves itself and counts its keys. It is restarted once, and a
 * queue is added, which is no harm. Harm is another protocol's commands, modules, masters that are none, scripts and crafted dumps.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { answering, freePort, Log, program, sent, sleep } from "./recorder.ts";

/** Lines of any client, and of saving, which goes on meanwhile. */
const USUAL =
  / - (?:Accepted|Client closed|DB \d)| \. \d+ clients connected| [-*] (?:Background|Fork CoW|DB saved|\d+ changes in|[A-Z].*(?:AOF|appendonly|append only))/;

/** About `lines` lines of a cache's log. */
export async function recordRedis(folder: string, random: () => number, lines: number): Promise<Log> {
  const draw = (most: number) => Math.floor(random() * most);
  const one = <T>(all: readonly T[]) => all[draw(all.length)]!;
  const port = await freePort();
  const server = program("redis-tools", "usr/bin/redis-check-rdb", ["libjemalloc2", "liblzf1"]);
  writeFileSync(
    join(folder, "conf"),
    `port ${port}\nbind 127.0.0.1\ndir ${folder}\nloglevel debug\nlogfile ""\nsave 2 20\nhz 10\ndaemonize no\nappendonly yes\nauto-aof-rewrite-min-size 16kb\nrepl-timeout 2\n`,
  );
  const log = new Log(folder, USUAL);
  const start = async () => {
    log.start({ ...server, name: "redis-server" }, [join(folder, "conf")]);
    await answering(port);
  };
  await start();
  const say = (...commands: string[]) => sent(port, `${[...commands, "QUIT"].join("\r\n")}\r\n`);
  let queue = false;
  const usual = () => {
    const kind = random();
    const key = `session:${draw(4000)}`;
    if (queue && kind < 0.15) return say(`RPUSH jobs ${draw(1e6)}`, "LPOP jobs", "SELECT 2", `SET last ${draw(1e6)}`);
    if (kind < 0.5)
      return say(
        ...Array.from({ length: 1 + draw(4) }, () => `SETEX session:${draw(4000)} ${5 + draw(300)} ${draw(1e9)}`),
      );
    if (kind < 0.9) return say(`GET ${key}`, `EXPIRE ${key} 100`);
    return say("SELECT 1", `INCR visits:${draw(30)}`);
  };
  const harms = [
    () => sent(port, one(["POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"])),
    () => say(`MODULE LOAD /tmp/${one(["exp", "red2", "kinsing"])}.so`),
    async () => {
      await say("REPLICAOF 127.0.0.1 1");
      await sleep(1200);
      await say("REPLICAOF NO ONE");
    },
    () =>
      say(
        `CONFIG SET dir /var/spool/cron`,
        "CONFIG SET dbfilename root",
        "SAVE",
        `CONFIG SET dir ${folder}`,
        "CONFIG SET dbfilename dump.rdb",
      ),
    () => say("DEBUG SLEEP 0", "SHUTDOWN ABORT", "FLUSHALL", "SCRIPT FLUSH"),
    () => sent(port, "*1\r\n$-9\r\n\x00\x00PSYNC ? -1\r\nSYNC\r\n"),
    () => say("SYNC"),
  ];
  let [restarted, next] = [false, lines * 0.22];
  for (let count = 0; count < lines; count = log.lines) {
    for (let left = 4; left > 0; --left) await usual();
    if (random() < 0.01) await say("BGREWRITEAOF");
    if (random() < 0.01) await say("CONFIG REWRITE");
    if (count > next) {
      next = count + lines * 0.05 * (0.5 + random());
      await log.harm(one(harms));
    }
    if (!restarted && count > lines * 0.5) {
      await log.stop();
      await start();
      [restarted, queue] = [true, true];
    }
  }
  await log.stop();
  return log;
}
