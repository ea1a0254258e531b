/**
 * nginx 1.22 of Debian (BSD-2-Clause) before a small site: access and error log in one. Visitors read pages, search, sign in; a monitor asks for the
 * state; the site gets a shop, and nginx is restarted, which is no harm. Harm is scanners, guessed passwords, injections, broken requests.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { daemonLog } from "../attacks.ts";
import { answering, freePort, Log, program, sent } from "./recorder.ts";

const BROWSERS = [
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
  "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
  "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Mobile Safari/537.36",
];
const PAGES = ["history", "people", "contact", "garden", "weather", "trains", "recipes", "music", "letters", "maps"];
const GOODS = ["lamp", "chair", "kettle", "basket", "mirror", "clock"];
const WORDS = ["oak", "river", "bread", "winter", "bicycle", "harbour", "violin", "tea", "snow", "bridge"];

interface Ask {
  readonly path: string;
  readonly method?: string;
  readonly agent?: string;
  readonly from: string;
  readonly referrer?: string;
  readonly body?: string;
}

/** About `lines` lines of a site's log. */
export async function recordNginx(folder: string, random: () => number, lines: number): Promise<Log> {
  const draw = (most: number) => Math.floor(random() * most);
  const one = <T>(all: readonly T[]) => all[draw(all.length)]!;
  const address = () => `127.${1 + draw(200)}.${draw(256)}.${1 + draw(250)}`;
  const port = await freePort();
  site(folder, port);
  const log = new Log(folder);
  const nginx = program("nginx", "usr/sbin/nginx");
  const words = ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", log.file];
  log.start(nginx, words);
  await answering(port);
  const ask = (each: Ask) => asked(port, each);
  const probes = scannerPaths();
  let shop = false;

  const visit = async () => {
    const [from, agent] = [address(), one(BROWSERS)];
    const home = `http://example.org/`;
    await ask({ path: "/", from, agent, referrer: one(["-", "https://www.google.com/", "https://duckduckgo.com/"]) });
    for (const path of ["/style.css", "/main.js", "/logo.png"])
      if (random() < 0.8) await ask({ path, from, agent, referrer: home });
    if (random() < 0.15) await ask({ path: "/favicon.ico", from, agent, referrer: home });
    for (let left = draw(5); left > 0; --left) {
      const page =
        shop && random() < 0.3 ? `/shop/${one(GOODS)}?id=${100 + draw(900)}` : `/${one(PAGES)}/${1 + draw(40)}.html`;
      await ask({ path: page, from, agent, referrer: home });
    }
    if (random() < 0.15) await ask({ path: `/search?q=${one(WORDS)}+${one(WORDS)}`, from, agent, referrer: home });
    if (random() < 0.1)
      await ask({ path: "/login", method: "POST", from, agent, referrer: home, body: "name=a&word=b" });
  };
  const harms = [
    async () => {
      const from = address();
      const agent = one(["Mozilla/5.0 zgrab/0.x", "Go-http-client/1.1", one(BROWSERS), "-"]);
      for (let left = 1 + draw(6); left > 0; --left) await ask({ path: one(probes), from, agent });
    },
    async () => {
      const [from, agent] = [address(), one(["python-requests/2.31.0", ...BROWSERS])];
      for (let left = 5 + draw(8); left > 0; --left)
        await ask({ path: "/login", method: "POST", from, agent, body: "x" });
    },
    async () => {
      const from = address();
      const inject = one([
        "%27%20OR%20%271%27%3D%271",
        "1;DROP%20TABLE%20users",
        "%3Cscript%3Ealert(1)%3C/script%3E",
        "../../../../etc/passwd",
      ]);
      await ask({ path: `/search?q=${inject}`, from, agent: one(BROWSERS) });
    },
    () =>
      sent(
        port,
        one([
          "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
          "CONNECT 192.0.2.7:443 HTTP/1.1\r\n\r\n",
          "GET /a HTTP/9.9\r\n\r\n",
        ]),
        "127.0.0.1",
        address(),
      ),
    () =>
      ask({
        path: `/${one(PAGES)}/%00${one(["cmd", "id"])}.php`,
        method: one(["PUT", "DELETE", "PROPFIND", "TRACE"]),
        from: address(),
        agent: "curl/8.4.0",
      }),
  ];

  let [restarted, next] = [false, lines * 0.22];
  for (let count = 0; count < lines; count = log.lines) {
    for (let left = 6; left > 0; --left) await visit();
    await ask({ path: "/status", from: "127.0.0.9", agent: "check_http/v2.3.3 (monitoring-plugins 2.3.3)" });
    if (count > next) {
      next = count + lines * 0.035 * (0.5 + random());
      await log.harm(one(harms));
    }
    if (!restarted && count > lines * 0.45) {
      await log.stop("SIGQUIT");
      log.start(nginx, words);
      await answering(port);
      [restarted, shop] = [true, true];
    }
  }
  await log.stop("SIGQUIT");
  return log;
}

/** Paths that fail2ban's test logs of web servers ask for. */
function scannerPaths(): string[] {
  const logs = ["nginx-botsearch", "apache-badbots", "php-url-fopen"].flatMap(daemonLog);
  const found = logs.map(({ line }) => /"(?:GET|POST|HEAD) (\/\S*) /.exec(line)?.[1]);
  return [
    "/.env",
    "/.git/config",
    "/wp-login.php",
    "/cgi-bin/luci/;stok=/locale",
    "/actuator/health",
    ...found.filter((each) => each !== undefined),
  ];
}

function asked(port: number, { path, method = "GET", agent = "-", from, referrer, body }: Ask): Promise<void> {
  const headers = {
    Host: "example.org",
    "User-Agent": agent,
    ...(referrer === undefined || referrer === "-" ? {} : { Referer: referrer }),
  };
  return new Promise((resolve) => {
    const call = request(
      { host: "127.0.0.1", port, path, method, headers, localAddress: from, agent: new Agent() },
      (answer) =>
        answer
          .resume()
          .on("end", resolve)
          .on("error", () => resolve()),
    );
    call.on("error", () => resolve());
    call.end(body);
  });
}

function site(folder: string, port: number): void {
  const root = join(folder, "site");
  mkdirSync(join(root, "shop"), { recursive: true });
  const page = (path: string, length: number) => writeFileSync(join(root, path), "x".repeat(length));
  page("index.html", 4210);
  page("style.css", 1822);
  page("main.js", 9120);
  page("logo.png", 20_111);
  for (const [i, name] of PAGES.entries()) {
    mkdirSync(join(root, name));
    for (let number = 1; number <= 38; ++number) page(`${name}/${number}.html`, 1000 + 37 * i + 211 * number); // two pages are missing
  }
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; user root; worker_processes 1; pid ${folder}/pid; error_log ${folder}/log notice;
events { worker_connections 64; }
http {
  access_log ${folder}/log combined;
  types { text/html html; text/css css; text/javascript js; image/png png; }
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port}; root ${root};
    location = /login { if ($http_content_length = 1) { return 401; } return 302 /; }
    location = /search { try_files /index.html =404; }
    location /shop/ { try_files /index.html =404; }
    location = /status { return 200 "ok"; }
  }
}
`,
  );
}
