/**
 * Writes gateway.log: two days of a small home gateway, made up. The first day is ordinary. The second has three lines that do not belong,
 * and from its evening on a device that was not there before. The same bytes on every machine; `node --import tsx examples/gateway/generate.ts`.
 */
import { writeFileSync } from "node:fs";

/** Lines that the second day holds once each, and nothing like them before. */
const STRANGE = [
  "sshd[2210]: Accepted password for root from 203.0.113.77 port 51812 ssh2",
  "kernel: EXT4-fs error (device mmcblk0p2): ext4_lookup: deleted inode referenced: 131842",
  "mosquitto[388]: Socket error on client boiler-ctl, protocol violation, disconnecting",
];
const DEVICES = ["kitchen-lamp", "boiler-ctl", "attic-hygro", "door-front", "garden-pump"];
const SECONDS_A_DAY = 86_400;
const LINES_A_DAY = 420;

let state = 20_260_302;
/** A whole number below n. */
const below = (n: number) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
};
const one = <T>(of: readonly T[]): T => of[below(of.length)]!;
const tenths = (value: number) => (value / 10).toFixed(1);

/** An ordinary line at a second of the day. */
function ordinary(second: number): string {
  const warm = 180 + Math.round(30 * Math.sin((second / SECONDS_A_DAY) * 2 * Math.PI)) + below(5);
  const device = below(DEVICES.length);
  const kinds = [
    () =>
      `mosquitto[388]: home/boiler/state temp=${tenths(warm + 340)} flow=${tenths(10 + below(4))} valve=${one(["open", "open", "shut"])}`,
    () => `mosquitto[388]: home/attic/hygro temp=${tenths(warm)} rh=${40 + below(9)} battery=${91 - below(3)}`,
    () => `dhcpd[412]: lease 10.0.0.${20 + device} renewed by ${DEVICES[device]} for 3600 s`,
    () => `mosquitto[388]: home/door/front ${one(["closed", "closed", "open"])} after ${1 + below(30)} s`,
    () => `cron[501]: run backup-config: ok, ${12 + below(2)} files`,
    () => `ntpd[377]: offset ${below(2) ? "-" : "+"}0.00${below(10)} s from 10.0.0.1`,
  ];
  return kinds[[0, 0, 0, 1, 1, 2, 2, 3, 4, 5][below(10)]!]!();
}

/** A line of the device that comes later. */
const heatPump = () =>
  `mosquitto[388]: home/heatpump/7 state=${one(["idle", "defrost", "heating", "heating"])} inlet=${tenths(300 + below(60))} outlet=${tenths(360 + below(60))} cop=${tenths(30 + below(9))}`;

const clock = (day: number, second: number) => {
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  return `2026-03-0${2 + day}T${two(second / 3600)}:${two((second / 60) % 60)}:${two(second % 60)}`;
};

export function gatewayLog(): string {
  const lines: string[] = [];
  for (let day = 0; day < 2; ++day) {
    for (let i = 0; i < LINES_A_DAY; ++i) {
      const second = Math.floor(((i + below(100) / 100) * SECONDS_A_DAY) / LINES_A_DAY);
      const strange = day === 1 ? [97, 183, 251].indexOf(i) : -1;
      const evening = day === 1 && i >= 300 && below(3) > 0;
      const what = strange >= 0 ? STRANGE[strange]! : evening ? heatPump() : ordinary(second);
      lines.push(`${clock(day, second)} gateway ${what}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

if (process.argv[1]?.endsWith("generate.ts")) writeFileSync(new URL("gateway.log", import.meta.url), gatewayLog());
