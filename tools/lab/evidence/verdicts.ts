/** What the results say of each claim of the papers, and of each number that this project wants to reach. */
import { mean } from "simple-statistics";
import { table } from "../../markdown.ts";
import { type Findings, type Form, number, type Side, secondsOf, secondsWithSearch, shown } from "./findings.ts";
import type { Entry, Held } from "./job.ts";
import { type Estimate, estimate, signOf } from "./statistics.ts";

/**
 * Of one place where a claim can be tested: it holds, it is level (the interval holds zero), or it fails. It is open where it would hold
 * against the best of several others, of which some are not measured and may be better.
 */
interface Case {
  readonly where: string;
  readonly holds: "yes" | "level" | "no" | "open";
  readonly detail: string;
}

const NETWORKS = ["feed-forward", "transformer", "lstm"];
const COUNTERS = ["kneser-ney-5"];
/** Small data, in tokens. */
const SMALL = 30_000;
/** "A single-board computer with 2 GB". */
const BOARD_BYTES = 2 * 1024 ** 3;

/** The table of verdicts. */
export function verdictTable(findings: Findings, ablation: readonly Entry[]): string {
  const rows: [string, string, Case[]][] = [
    [
      "explicit solutions beat back-propagation alone",
      "dev, the same network from a random start",
      over(findings, "explicit", "cold"),
    ],
    ["", "dev, the best of the networks at equal parameters", versusBest(findings, NETWORKS, "dev")],
    ["", "the same, explicit in potato's shape", versusBest(findings, NETWORKS, "dev", { system: "contexts" })],
    [
      "",
      "the same, with its history attention",
      versusBest(findings, NETWORKS, "dev", { system: "contexts", form: "recency" }),
    ],
    ["a warm start reaches better optima", "dev, warm against cold at the same budget", over(findings, "warm", "cold")],
    ["", "the same, warm against the closed form that it starts from", over(findings, "warm", "explicit")],
    ["… from less data", "dev, warm against cold at the next larger budget", warmOverMore(findings)],
    [
      "generalises from small data",
      `test, up to ${number(SMALL)} tokens, explicit against the best network`,
      versusBest(findings, NETWORKS, "test").filter(small),
    ],
    [
      "",
      "the same, explicit in potato's shape, with its history attention",
      versusBest(findings, NETWORKS, "test", { system: "contexts", form: "recency" }).filter(small),
    ],
    ["", "test, without history attention, against Kneser-Ney 5", versusBest(findings, COUNTERS, "test").filter(small)],
    ["some of the best models are not the largest", "dev, the ablation", notTheLargest(ablation)],
    ["fit for low-resource hardware", "peak memory of a fit below 2 GiB", onTheBoard(findings)],
    ["", "seconds of a fit, against the best network", faster(findings)],
    [
      "two layers beat one",
      "dev, a second layer in place of a head, at as many parameters",
      overExplicit(findings, "two-layers"),
    ],
    [
      "attention over the window, explicit W",
      "dev, the same network with it and without",
      overExplicit(findings, "attended"),
    ],
    [
      "a document context",
      "dev, two of its groups in place of one of the window's",
      overExplicit(findings, "document"),
    ],
    [
      "both",
      "dev, potato's shape: a window of two, attention over it, more groups, three of the document; fewer parameters",
      overExplicit(findings, "contexts"),
    ],
  ];
  return table(
    ["claim", "tested as", "verdict", "figures"],
    rows.map(([claim, test, cases]) => [
      claim,
      test,
      verdictOf(cases),
      cases.map(({ where, detail }) => `${where}: ${detail}`).join("; "),
    ]),
    true,
  );
}

function verdictOf(cases: readonly Case[]): string {
  if (cases.length === 0) return "not measured yet";
  const at = (some: readonly Case[]) => some.map(({ where }) => where).join("; ");
  const [open, judged] = [cases.filter(({ holds }) => holds === "open"), cases.filter(({ holds }) => holds !== "open")];
  const verdicts = [...(judged.length > 0 ? [judgement()] : []), ...(open.length > 0 ? [`open at ${at(open)}`] : [])];
  return verdicts.join("; ");

  function judgement(): string {
    const yes = judged.filter(({ holds }) => holds === "yes");
    if (yes.length === judged.length) return `reproduced at ${at(judged)}`;
    if (yes.length > 0) return `in part: at ${at(yes)}`;
    return `not at ${at(judged)}${judged.some(({ holds }) => holds === "level") ? ", level at best" : ""}`;
  }
}

/** A claim against the best of some systems at a budget: one that fails fails the more, one that does not is open, while any is missing. */
function amongMeasured(findings: Findings, others: readonly string[], budget: number, claim: Case): Case {
  const missing = others.filter((name) => findings.values(name, budget, "alone", "dev").length === 0);
  if (missing.length === 0) return claim;
  const { where, holds, detail } = claim;
  return { where, holds: holds === "no" ? "no" : "open", detail: `${detail}, ${missing.join(" and ")} not measured` };
}

/** A case of `a` less `b`, which should lie below zero. */
function caseOf(findings: Findings, where: string, a: Side, b: Side, split: keyof Held, named: string[] = []): Case[] {
  const gap = findings.gap(a, b, split);
  if (gap === undefined) return [];
  const holds = ({ "-1": "yes", "0": "level", "1": "no" } as const)[signOf(gap)];
  const notes = findings.oneSeed(a) || findings.oneSeed(b) ? [...named, "one seed"] : named;
  return [{ where, holds, detail: signed(gap) + (notes.length > 0 ? ` (${notes.join(", ")})` : "") }];
}

function signed({ mean, half }: Estimate): string {
  return `${mean < 0 ? "−" : "+"}${Math.abs(mean).toFixed(3)} ± ${half.toFixed(3)}`;
}

/** An explicit fit less the best of others as they are. */
function versusBest(
  findings: Findings,
  others: readonly string[],
  split: keyof Held,
  { system = "explicit", form = "alone" }: { readonly system?: string; readonly form?: Form } = {},
): Case[] {
  return findings.budgets.flatMap((budget) => {
    const best = findings.best(others, budget);
    if (best === undefined) return [];
    const own = { system, budget, form };
    return caseOf(findings, number(budget), own, { system: best, budget }, split, [best]).map((claim) =>
      amongMeasured(findings, others, budget, claim),
    );
  });
}

/** What a part of the architecture adds to the explicit fit. */
function overExplicit(findings: Findings, system: string): Case[] {
  return over(findings, system, "explicit");
}

/** One system less another, on dev at the same budget. */
function over(findings: Findings, system: string, other: string): Case[] {
  return findings.budgets.flatMap((budget) =>
    caseOf(findings, number(budget), { system, budget }, { system: other, budget }, "dev"),
  );
}

function warmOverMore(findings: Findings): Case[] {
  const { budgets } = findings;
  return budgets.slice(0, -1).flatMap((budget, i) => {
    const more = budgets[i + 1]!;
    const where = `${number(budget)} against ${number(more)}`;
    return caseOf(findings, where, { system: "warm", budget }, { system: "cold", budget: more }, "dev");
  });
}

function small({ where }: Case): boolean {
  return Number(where.replaceAll(",", "")) <= SMALL;
}

function notTheLargest(entries: readonly Entry[]): Case[] {
  return [...new Set(entries.map(({ job }) => job.budget))].flatMap((budget) => {
    const models = entries.filter(({ job }) => job.budget === budget).map(({ result }) => result);
    if (models.length < 10) return [];
    const ranked = [...models].sort((a, b) => a.alone.dev - b.alone.dev);
    const best = ranked.slice(0, Math.ceil(models.length / 10));
    const larger = models.filter(({ parameters }) => parameters > best[0]!.parameters).length;
    const worse = best.filter((model) =>
      models.some((m) => m.parameters > model.parameters && m.alone.dev > model.alone.dev),
    );
    const detail = `${larger} of ${models.length} models are larger than the best; ${worse.length} of the best ${best.length} are smaller than some worse one`;
    return [{ where: number(budget), holds: larger > 0 ? "yes" : "no", detail } as const];
  });
}

function onTheBoard(findings: Findings): Case[] {
  return findings.budgets.flatMap((budget) => {
    const entries = findings.of("explicit", budget)?.entries ?? [];
    if (entries.length === 0) return [];
    const most = Math.max(...entries.map(({ result }) => result.peakMemoryBytes));
    return [
      { where: number(budget), holds: most < BOARD_BYTES ? "yes" : "no", detail: `${number(most / 1e6)} MB` } as const,
    ];
  });
}

function faster(findings: Findings): Case[] {
  return findings.budgets.flatMap((budget) => {
    const best = findings.best(NETWORKS, budget);
    const [own, other] = [findings.of("explicit", budget), best && findings.of(best, budget)];
    if (!own?.entries.length || !other) return [];
    const [a, b] = [secondsOf(own).mean, secondsOf(other).mean];
    const claim = {
      where: number(budget),
      holds: a < b ? "yes" : "no",
      detail: `${a.toFixed(1)} s, ${best} ${b.toFixed(1)} s`,
    } as const;
    return [amongMeasured(findings, NETWORKS, budget, claim)];
  });
}

/** Differences that the verdicts on back-propagation rest on. */
const GAPS = [
  ["explicit", "cold"],
  ["warm", "cold"],
  ["warm", "explicit"],
  ["contexts", "cold"],
  ["explicit-wide", "cold"],
] as const;

/** How far systems of the same family of models lie apart at each budget. */
export function gapTable(findings: Findings): string {
  const rows = GAPS.flatMap(([a, b]) =>
    (["dev", "test"] as const).map((split) => [
      `${a} − ${b}, ${split}`,
      ...findings.budgets.map((budget) => {
        const gap = findings.gap({ system: a, budget }, { system: b, budget }, split);
        return gap === undefined ? "–" : signed(gap);
      }),
    ]),
  );
  return table(["bits per byte", ...findings.budgets.map(number)], rows);
}

/** What quality costs in seconds. */
export function timeTable(findings: Findings): string {
  const rows = findings.budgets.flatMap((budget) => {
    const known = ["explicit", "contexts", "warm", "cold"].flatMap((name) => {
      const finding = findings.of(name, budget);
      return finding?.entries.length ? [{ finding, dev: estimate(findings.values(name, budget, "alone", "dev")) }] : [];
    });
    const first = known[0]?.finding.cell.system.name === "explicit" ? secondsOf(known[0].finding).mean : Number.NaN;
    return known.map(({ finding, dev }) => {
      const [own, all] = [secondsOf(finding), secondsWithSearch(finding)];
      const times = (seconds: number) => (Number.isNaN(first) ? "–" : `× ${(seconds / first).toFixed(1)}`);
      return [
        number(budget),
        finding.cell.system.title,
        shown(dev),
        shown(own, 1),
        times(own.mean),
        all.toFixed(1),
        times(all),
      ];
    });
  });
  return table(["tokens", "", "dev", "seconds", "of explicit's", "with search", "of explicit's"], rows, true);
}

/** A ratio of bits per byte that is to be reached. */
type Bound = readonly [a: string, aForm: Form, b: string, bForm: Form, split: keyof Held, bound: number];

const BOUNDS: readonly Bound[] = [
  ["explicit", "alone", "kneser-ney-2", "alone", "dev", 0.95],
  ["contexts", "alone", "kneser-ney-2", "alone", "dev", 0.95],
  ["explicit-wide", "alone", "kneser-ney-3", "alone", "dev", 1.06],
  ["contexts", "recency", "kneser-ney-5", "alone", "test", 1.0],
  ["contexts", "recency", "kneser-ney-5", "recency", "test", 1.0],
  ["explicit-wide", "recency", "kneser-ney-5", "alone", "dev", 1.06],
  ["explicit-wide", "recency", "kneser-ney-5", "recency", "dev", 1.06],
  ["warm", "alone", "kneser-ney-3", "alone", "dev", 1.05],
  ["warm", "alone", "kneser-ney-3", "alone", "test", 1.0],
  ["warm", "alone", "pruned", "alone", "dev", 0.9],
  ["warm", "alone", "feed-forward", "alone", "dev", 1.0],
  ["warm", "alone", "transformer", "alone", "dev", 1.0],
];

/** Ratios of bits per byte by budget, and what is to be reached. */
export function boundTable(findings: Findings): string {
  const name = (system: string, form: Form) => (form === "alone" ? system : `${system} with recency`);
  const rows = BOUNDS.map(([a, aForm, b, bForm, split, bound]) => [
    `${name(a, aForm)} ÷ ${name(b, bForm)}, ${split}`,
    ...findings.budgets.map((budget) => {
      const [above, below] = [findings.values(a, budget, aForm, split), findings.values(b, budget, bForm, split)];
      if (above.length === 0 || below.length === 0) return "–";
      return (mean(above) / mean(below)).toFixed(3);
    }),
    `≤ ${bound.toFixed(2)}`,
  ]);
  return table(["bits per byte", ...findings.budgets.map(number), "to reach"], rows);
}
