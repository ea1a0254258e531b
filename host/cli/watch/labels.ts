/**
 * What is said of lines while they are watched: a file or named pipe of JSON, a line each.
 *
 *     {"line": 4711, "label": "alarm"}
 *     {"episode": 3, "label": "fine"}
 *     {"episode": 3, "forget": true}
 *     {"from": 4711, "to": 4720, "forget": true}
 */
import { isRecord } from "../../files/json.ts";

/** What is to be done; `label` undefined is to forget. */
export interface Said {
  readonly rows: { readonly from: number; readonly to: number } | { readonly episode: number };
  readonly label: "alarm" | "fine" | undefined;
}

/** What a line says; undefined where it says nothing that is known. */
export function saidBy(line: string): Said | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  const { line: one, episode, from = one, to = from, label, forget } = value;
  const isRow = (row: unknown): row is number => Number.isSafeInteger(row) && (row as number) >= 1;
  const rows = isRow(episode) ? { episode } : isRow(from) && isRow(to) ? { from, to } : undefined;
  if (rows === undefined) return undefined;
  if (forget === true && label === undefined) return { rows, label: undefined };
  return label === "alarm" || label === "fine" ? { rows, label } : undefined;
}
