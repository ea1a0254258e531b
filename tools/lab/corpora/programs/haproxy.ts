/**
 * HAProxy 2.6 of Debian (GPL-2.0) before two servers, as it writes to syslog: requests with times and states of queues. Applications ask for devices and
 * readings; servers are replaced in turn and HAProxy is restarted, which is no harm. Harm is scanners, guessed keys, broken requests, large uploads.
 */
import { createSocket } from "node:dgram";
import { writeFileSync } from "node:fs";
import { Agent, createServer, request, type Server } from "node:http";
import { join } from "node:path";
import { answering, freePort, Log, program, sent, sleep } from "./recorder.ts";

const HOST = "gate";
const APPLICATIONS = ["meters", "doors", "lights", "heating"];
const PROBES = [
  "/admin/config.php",
  "/.aws/credentials",
  "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
  "/solr/admin/info/system",
  "/HNAP1/",
  "/boaform/admin/formLogin",
];

/** About `lines` lines of a balancer's log. */
export async function recordHaproxy(folder: string, random: () => number, lines: number): Promise<Log> {
  const draw = (most: number) => Math.floor(random() * most);
  const one = <T>(all: readonly T[]) => all[draw(all.length)]!;
  const log = new Log(folder);
  const syslog = createSocket("udp4").on("message", (bytes) => {
    const line = bytes
      .toString()
      .replace(/^<\d+>/, "")
      .trimEnd();
    log.write(line.replace(/^(\w{3} [ \d]\d \d\d:\d\d:\d\d) (?=haproxy)/, `$1 ${HOST} `));
  });
  await new Promise<void>((resolve) => syslog.bind(0, "127.0.0.1", resolve));
  const [port, first, second] = [await freePort(), await freePort(), await freePort()];
  let slow = 1;
  const serve = (own: number) => {
    const server = createServer((asked, answer) => {
      const path = asked.url!.split("?")[0]!;
      const known = /^\/(api\/v1\/(devices|readings|alarms)|login|health|export)/.test(path);
      answer.statusCode = !known
        ? 404
        : path === "/login" && asked.headers["x-key"] !== "right"
          ? 401
          : asked.method === "POST"
            ? 201
            : 200;
      asked
        .resume()
        .on("end", () => setTimeout(() => answer.end("x".repeat(20 + Math.floor(200 * slow))), Math.floor(3 * slow)));
    });
    return new Promise<Server>((resolve) => server.listen(own, "127.0.0.1", () => resolve(server)));
  };
  const servers = [await serve(first), await serve(second)];
  writeFileSync(
    join(folder, "conf"),
    `global\n  log 127.0.0.1:${syslog.address().port} local0\n  maxconn 100\ndefaults\n  mode http\n  log global\n  option httplog\n  timeout connect 1s\n  timeout client 2s\n  timeout server 2s
frontend public\n  bind 127.0.0.1:${port}\n  acl metering path_beg /api/v1/readings\n  capture request header User-Agent len 40\n  use_backend readings if metering\n  default_backend general
backend readings\n  server app1 127.0.0.1:${first} check inter 200\n  server app2 127.0.0.1:${second} check inter 200
backend general\n  option httpchk GET /health\n  server app1 127.0.0.1:${first} check inter 200\n  server app2 127.0.0.1:${second} check inter 200\n`,
  );
  const balancer = program("haproxy", "usr/sbin/haproxy", [
    "liblua5.3-0",
    "libopentracing-c-wrapper0",
    "libopentracing1",
  ]);
  const start = async () => {
    log.start(balancer, ["-db", "-f", join(folder, "conf")]);
    await answering(port);
  };
  const ask = (path: string, method: string, from: string, agent: string, key = "right", body = "") =>
    new Promise<void>((resolve) => {
      const headers = { "User-Agent": agent, "X-Key": key, "Content-Length": String(body.length) };
      const call = request(
        { host: "127.0.0.1", port, path, method, localAddress: from, headers, agent: new Agent() },
        (answer) =>
          answer
            .resume()
            .on("end", resolve)
            .on("error", () => resolve()),
      );
      call.on("error", () => resolve()).end(body);
    });
  await start();
  let exported = false;
  const usual = async () => {
    const application = one(APPLICATIONS);
    const [from, agent] = [
      `127.0.0.${20 + APPLICATIONS.indexOf(application)}`,
      `${application}/2.${APPLICATIONS.indexOf(application)}.1`,
    ];
    const kind = random();
    slow = 0.5 + random();
    if (kind < 0.55)
      await ask(`/api/v1/readings?device=${draw(80)}`, "POST", from, agent, "right", "x".repeat(40 + draw(60)));
    else if (kind < 0.85) await ask(`/api/v1/devices/${draw(80)}`, "GET", from, agent);
    else if (kind < 0.92) await ask(`/api/v1/alarms?since=${1_700_000_000 + draw(1e6)}`, "GET", from, agent);
    else if (kind < 0.95) await ask("/login", "POST", from, agent);
    else if (exported) await ask(`/export?year=${2020 + draw(6)}`, "GET", "127.0.0.31", "report/1.0");
  };
  const harms = [
    async () => {
      const from = `127.3.${draw(250)}.${1 + draw(250)}`;
      for (let left = 1 + draw(4); left > 0; --left)
        await ask(one(PROBES), one(["GET", "POST"]), from, one(["-", "Mozilla/5.0 zgrab/0.x", "curl/7.88.1"]));
    },
    async () => {
      const from = `127.3.${draw(250)}.${1 + draw(250)}`;
      const agent = one(["okhttp/4.9.0", `${one(APPLICATIONS)}/2.1.1`]);
      for (let left = 4 + draw(5); left > 0; --left) await ask("/login", "POST", from, agent, String(draw(1e6)));
    },
    () =>
      sent(
        port,
        one([
          "\x16\x03\x01\x02\x00\x01\x00\x01",
          "GET / HTTP/1.1\r\nHost : a b\r\n\r\n",
          "\x00\x00\x00\x54\xffSMBr\r\n\r\n",
        ]),
      ),
    () => ask(`/api/v1/devices/${draw(80)}`, "DELETE", `127.0.0.${20 + draw(4)}`, `${one(APPLICATIONS)}/2.1.1`),
    () =>
      ask(
        `/api/v1/alarms?since=1' or sleep(5)--`.replaceAll(" ", "%20"),
        "GET",
        `127.0.0.${20 + draw(4)}`,
        "sqlmap/1.7",
      ),
  ];
  const events: (() => Promise<void>)[] = [
    () => replaced(0, first),
    () => replaced(1, second),
    async () => {
      await log.stop("SIGUSR1");
      await start();
      exported = true;
    },
    () => replaced(0, first),
  ];
  async function replaced(which: number, own: number): Promise<void> {
    servers[which]!.closeAllConnections();
    await new Promise((resolve) => servers[which]!.close(resolve));
    for (let left = 40; left > 0; --left) await usual();
    await sleep(900);
    servers[which] = await serve(own);
    await sleep(900);
  }
  let next = lines * 0.22;
  let event = 0;
  for (let count = 0; count < lines; count = log.lines) {
    for (let left = 8; left > 0; --left) await usual();
    if (count > next) {
      next = count + lines * 0.05 * (0.5 + random());
      await log.harm(one(harms));
    }
    if (event < events.length && count > lines * (0.1 + 0.25 * event)) await events[event++]!();
  }
  await log.stop();
  syslog.close();
  for (const server of servers) server.close().closeAllConnections();
  return log;
}
