/** Plots as SVG, by Vega-Lite. */
import * as vega from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { Finding } from "./findings.ts";
import { secondsOf } from "./findings.ts";
import type { Entry } from "./job.ts";
import { estimate } from "./statistics.ts";

/** A measured system at a budget. */
interface Point {
  readonly system: string;
  readonly family: string;
  readonly budget: number;
  readonly tokens: string;
  readonly seconds: number;
  readonly bytes: number;
  readonly dev: number;
  readonly low: number;
  readonly high: number;
}

const STYLE = { config: { font: "sans-serif", background: "white", legend: { labelLimit: 0 } } };
const QUALITY = { type: "quantitative", scale: { zero: false }, title: "bits per byte, dev" } as const;
const COLOUR = { field: "system", type: "nominal", sort: null, scale: { scheme: "tableau20" } } as const;

/** Bits per byte, without cache or history attention, by whatever a plot has on its x axis. */
export function pointsOf(findings: readonly Finding[]): Point[] {
  return findings
    .filter(({ entries }) => entries.length > 0)
    .map((finding) => {
      const { cell, entries } = finding;
      const { mean, half } = estimate(entries.map(({ result }) => result.alone.dev));
      const spread = Number.isNaN(half) ? 0 : half;
      return {
        system: cell.system.title,
        family: cell.system.family,
        budget: cell.budget,
        tokens: `${cell.budget.toLocaleString("en")} tokens`,
        seconds: secondsOf(finding).mean,
        bytes: entries[0]!.result.bytes,
        dev: mean,
        low: mean - spread,
        high: mean + spread,
      };
    });
}

/** Bits per byte against `x`, a panel for each budget. */
export function scatter(points: readonly Point[], x: "seconds" | "bytes", title: string): Promise<string> {
  const panels = [...new Set(points.map(({ tokens }) => tokens))];
  return svg({
    ...STYLE,
    data: { values: [...points] },
    facet: { field: "tokens", type: "ordinal", sort: panels, title: null },
    columns: 2,
    resolve: { scale: { y: "independent" } },
    spec: {
      width: 300,
      height: 260,
      encoding: {
        x: {
          field: x,
          type: "quantitative",
          scale: { type: "log" },
          axis: { format: x === "bytes" ? "~s" : "~g" },
          title,
        },
      },
      layer: [
        {
          mark: { type: "rule" },
          encoding: {
            y: { ...QUALITY, field: "low" },
            y2: { field: "high" },
            color: COLOUR,
          },
        },
        {
          mark: { type: "point", filled: true, size: 70 },
          encoding: {
            y: { ...QUALITY, field: "dev" },
            color: COLOUR,
            shape: { field: "family", type: "nominal" },
          },
        },
      ],
    },
  });
}

/** Bits per byte against the budget, a line for each system. */
export function curves(points: readonly Point[]): Promise<string> {
  return svg({
    ...STYLE,
    width: 520,
    height: 380,
    data: { values: [...points] },
    encoding: {
      x: { field: "budget", type: "quantitative", scale: { type: "log" }, axis: { format: "~s" }, title: "tokens" },
      color: COLOUR,
    },
    layer: [
      { mark: { type: "line" }, encoding: { y: { ...QUALITY, field: "dev" } } },
      {
        mark: { type: "point", filled: true, size: 50 },
        encoding: { y: { ...QUALITY, field: "dev" }, shape: { field: "family", type: "nominal" } },
      },
      { mark: { type: "rule" }, encoding: { y: { ...QUALITY, field: "low" }, y2: { field: "high" } } },
    ],
  });
}

/** The ablation: bits per byte against parameters. */
export function sizes(entries: readonly Entry[]): Promise<string> {
  const values = entries.map(({ job, result }) => ({
    parameters: result.parameters,
    dev: result.alone.dev,
    bits: String(job.options.bits),
    window: String(job.options.window),
  }));
  return svg({
    ...STYLE,
    width: 520,
    height: 380,
    data: { values },
    mark: { type: "point", filled: true, size: 50 },
    encoding: {
      x: { field: "parameters", type: "quantitative", scale: { type: "log" }, axis: { format: "~s" } },
      y: { ...QUALITY, field: "dev" },
      color: { field: "bits", type: "nominal", title: "bits b", sort: null },
      shape: { field: "window", type: "nominal", title: "window r" },
    },
  });
}

function svg(spec: TopLevelSpec): Promise<string> {
  return new vega.View(vega.parse(compile(spec).spec), { renderer: "none" }).toSVG();
}
