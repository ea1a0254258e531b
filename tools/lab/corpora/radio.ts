/**
 * What chats lack and messages by radio have: positions, times, call signs, readings, emoji. Lines are drawn from a seeded generator, by patterns (ours);
 * emoji stand behind messages that are given.
 *
 * ```ts
 * radioLines(1000, 1, chats().fit); // 1,000 lines
 * ```
 */
import { generator } from "../../generator.ts";

type Draw = (below: number) => number;

const KINDS = ["positions", "times", "call signs", "readings", "emoji"] as const;
export type Kind = (typeof KINDS)[number];

/** Blocks of emoji, [first, last]. Source: Unicode, blocks of pictographs. */
const EMOJI: readonly (readonly [number, number])[] = [
  [0x1f600, 0x1f64f],
  [0x1f600, 0x1f64f],
  [0x1f300, 0x1f5ff],
  [0x1f680, 0x1f6c5],
  [0x1f90d, 0x1f9ff],
];
/** What stands in front of a variation selector, mostly. */
const SIGNS: readonly number[] = [0x2764, 0x2600, 0x2601, 0x26a0, 0x2705, 0x274c, 0x26a1, 0x2744];

const digits = (draw: Draw, count: number) => Array.from({ length: count }, () => draw(10)).join("");
const letter = (draw: Draw) => String.fromCharCode(65 + draw(26));
const letters = (draw: Draw, count: number) => Array.from({ length: count }, () => letter(draw)).join("");
const two = (value: number) => String(value).padStart(2, "0");
const one = <T>(draw: Draw, ...all: readonly T[]): T => all[draw(all.length)]!;

const callSign = (draw: Draw) => `${letters(draw, 1 + draw(2))}${draw(10)}${letters(draw, 2 + draw(2))}`;
const locator = (draw: Draw) =>
  `${letters(draw, 2).replace(/[S-Z]/g, "J")}${digits(draw, 2)}${letters(draw, 2).toLowerCase().replace(/[y-z]/g, "a")}`;
const emoji = (draw: Draw) => {
  if (draw(6) === 0) return `${String.fromCodePoint(one(draw, ...SIGNS))}\ufe0f`;
  const [first, last] = one(draw, ...EMOJI);
  return String.fromCodePoint(first + draw(last - first + 1));
};

const LINES: Record<Kind, (draw: Draw, message: string) => string> = {
  positions(draw) {
    const places = 3 + draw(4);
    const [north, east] = [`${draw(90)}.${digits(draw, places)}`, `${draw(180)}.${digits(draw, places)}`];
    return one(
      draw,
      `${north}, ${one(draw, "", "-")}${east}`,
      `${north}${one(draw, "N", "S")} ${east}${one(draw, "E", "W")}`,
      `pos ${north},${east}`,
      `lat ${north} lon ${east} alt ${draw(3000)}m`,
      `qth ${locator(draw)}`,
      locator(draw),
    );
  },
  times(draw) {
    const time = `${two(draw(24))}:${two(draw(60))}`;
    const date = `20${20 + draw(12)}-${two(1 + draw(12))}-${two(1 + draw(28))}`;
    return one(
      draw,
      time,
      `${time}Z`,
      `${date} ${time}`,
      `${date}T${time}:${two(draw(60))}Z`,
      `eta ${time}`,
      `at ${1 + draw(12)}:${two(draw(60))}pm`,
      date,
    );
  },
  "call signs"(draw) {
    const [own, other] = [callSign(draw), callSign(draw)];
    const report = `${4 + draw(2)}${1 + draw(9)}`;
    return one(
      draw,
      `${own} de ${other} 73`,
      `cq cq de ${own} k`,
      `${own} ${report} ${locator(draw)}`,
      own,
      `${own} de ${other} rst ${report}9`,
      `qsl ${own} tnx`,
    );
  },
  readings(draw) {
    const value = `${draw(100)}.${draw(10)}`;
    return one(
      draw,
      `temp=${value} hum=${draw(101)} bat=${3 + draw(2)}.${digits(draw, 2)}V`,
      `T ${value}C RH ${draw(101)}% P ${950 + draw(90)}hPa`,
      `bat ${draw(101)}%`,
      `call +${1 + draw(98)} ${digits(draw, 2)} ${digits(draw, 3)} ${digits(draw, 2)} ${digits(draw, 2)}`,
      `rssi -${50 + draw(80)} snr ${draw(12)}.${digits(draw, 2)}`,
      digits(draw, 4 + draw(8)),
    );
  },
  emoji(draw, message) {
    const some = Array.from({ length: 1 + draw(3) }, () => emoji(draw)).join("");
    return draw(4) === 0 ? some : `${message} ${some}`;
  },
};

/** Lines of all kinds in turn, or of one. */
export function radioLines(count: number, seed: number, messages: readonly string[], kind?: Kind): string[] {
  const next = generator(seed);
  const draw: Draw = (below) => (next() * 2 ** 32) % below;
  return Array.from({ length: count }, (_, i) =>
    LINES[kind ?? KINDS[i % KINDS.length]!](draw, messages[draw(messages.length)]!),
  );
}

/** Messages with a line of the above behind each `every`. */
export function withRadioLines(messages: readonly string[], every: number, seed: number): string[] {
  const lines = radioLines(Math.floor(messages.length / every), seed, messages);
  return messages.flatMap((message, i) =>
    i % every === every - 1 ? [message, lines[Math.floor(i / every)]!] : [message],
  );
}
