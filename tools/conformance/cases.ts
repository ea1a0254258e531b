/** The models that the golden script is run with, in the forms in which they are compiled, and what the oracle makes of each. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Package, type PackageOptions, packageModel } from "../../host/compile/package.ts";
import { load, type Model } from "../../host/index.ts";
import type { Build } from "../../host/model/kernel.ts";
import { type Shape, validateShape } from "../../host/shape.ts";
import { randomModel } from "../../test/model-fixture.ts";
import { CLASSIFIERS, type ClassifierName, classifierCase } from "./classify.ts";
import { type Driver, driverModule, type ModuleCase } from "./driver-module.ts";
import { playOracle } from "./oracle.ts";
import {
  type Answer,
  digestOf,
  goldenSteps,
  MESSAGES,
  messageSteps,
  type Script,
  type Step,
  stepName,
  suggestSteps,
  TEXT,
} from "./script.ts";
import { WATCHES, watchCase } from "./watch.ts";

/** A model over bytes with random weights, for what no shipped model has. */
const SMALL = validateShape({
  ...{ vocabulary: 256, bits: 32, window: 2, groups: 2, units: 8, history: 256, matchLength: 4 },
  ...{ adapts: true, longMatches: true, memory: 600 },
});
/** Models that are made here, by the name that a form has them by; any other is a directory. */
const MADE: Readonly<Record<string, Shape>> = {
  "a memory looked through": SMALL,
  "an indexed memory and n-grams": { ...SMALL, memoryIndexed: true, indexed: true, ngrams: 3001 },
};

interface Form {
  readonly model: string;
  readonly target: "wasm" | "flash";
  readonly learning: boolean;
  /** Bytes of the longest frame of a message, of a form whose script packs and unpacks some. */
  readonly pack?: number;
  /** Its script suggests. */
  readonly suggests?: boolean;
}

export const FORMS = {
  nano: { model: "models/nano-en", target: "wasm", learning: true },
  "nano, flash": { model: "models/nano-en", target: "flash", learning: true },
  "memory, looked through": { model: "a memory looked through", target: "wasm", learning: true },
  "memory, looked through, flash": { model: "a memory looked through", target: "flash", learning: true },
  "memory, indexed, and n-grams": { model: "an indexed memory and n-grams", target: "wasm", learning: true },
  "memory, indexed, and n-grams, flash": { model: "an indexed memory and n-grams", target: "flash", learning: false },
  "potato, no learning": { model: "models/potato-en", target: "wasm", learning: false },
  messages: { model: "models/nano-en", target: "wasm", learning: false, pack: 64 },
  "messages, flash": { model: "models/nano-en", target: "flash", learning: false, pack: 64 },
  suggestions: { model: "models/nano-en", target: "wasm", learning: false, suggests: true },
  "suggestions, potato, flash": { model: "models/potato-en", target: "flash", learning: false, suggests: true },
} as const satisfies Record<string, Form>;
export type FormName = keyof typeof FORMS;
export const FORM_NAMES = Object.keys(FORMS) as FormName[];
/** Those that a slow runtime plays as well. */
export const QUICK_FORMS = [
  "nano",
  "memory, looked through",
  "memory, indexed, and n-grams",
  "messages",
  "suggestions",
] as const satisfies readonly FormName[];

/** Classifiers and watches in the builds that a runtime has; watches have one alone. */
export function moduleForms(
  builds: readonly Build[],
): { form: string; build: Build; run(cases: Cases): Promise<ModuleRun> }[] {
  const classifiers = builds.flatMap((build) =>
    CLASSIFIERS.map((name) => ({ form: name, build, run: (cases: Cases) => cases.classifier(name, build) })),
  );
  const watches = WATCHES.map((name) => ({
    ...{ form: `a watch of ${name}`, build: "scalar" as const, run: (cases: Cases) => cases.watch(name) },
  }));
  return [...classifiers, ...(builds.includes("scalar") ? watches : [])];
}

/** A model's form in a build. */
export interface Case {
  readonly form: string;
  readonly build: Build;
  readonly script: Script;
  readonly module: Uint8Array;
  readonly weights: Uint8Array | null;
  /** The same with the script inside. */
  driver(): Promise<Driver>;
  /** A path of its own, for files. */
  readonly path: string;
}

/** A classifier or a watch in a build, and what the oracle answers. */
export interface ModuleRun {
  readonly made: Case;
  readonly wanted: readonly Answer[];
}

/** Compiles each case once, into a folder that it removes in the end. */
export class Cases {
  private readonly folder = mkdtempSync(join(tmpdir(), "saffu-conformance-"));
  private readonly known = new Map<string, Promise<unknown>>();

  case(form: FormName, build: Build): Promise<Case> {
    return this.once(`${form}, ${build}`, async (name) => {
      const { model: directory, target, learning, pack = 0 }: Form = FORMS[form];
      const steps = await this.steps(form);
      const { module, weights = null } = await this.package(directory, { target, build, learning, pack });
      const path = join(this.folder, name.replaceAll(/\W+/g, "-"));
      const script = { module: `${path}.wasm`, weights: weights && `${path}.weights`, steps };
      writeFileSync(script.module, module);
      if (weights) writeFileSync(script.weights!, weights);
      const driver = () =>
        this.once(`${name}, driver`, async () => {
          const stored = await this.package(directory, { target: "flash", build: "scalar", learning: false });
          return driverModule(stored, { build, learning, pack, flash: target === "flash" }, steps);
        });
      return { form, build, script, module, weights, driver, path };
    });
  }

  classifier(name: ClassifierName, build: Build): Promise<ModuleRun> {
    return this.called(name, build, () => classifierCase(name, build));
  }

  watch(name: string): Promise<ModuleRun> {
    return this.called(name, "scalar", () => watchCase(name));
  }

  private called(form: string, build: Build, make: () => Promise<ModuleCase>): Promise<ModuleRun> {
    return this.once(`${form}, ${build}, called`, async (at) => {
      const { module, steps, wanted, ...found } = await make();
      const path = join(this.folder, at.replaceAll(/\W+/g, "-"));
      writeFileSync(`${path}.wasm`, module);
      const script = { module: `${path}.wasm`, weights: null, steps };
      const driver = () => this.once(`${at}, driver`, () => found.driver());
      return { made: { form, build, script, module, weights: null, driver, path }, wanted };
    });
  }

  async steps(form: FormName): Promise<Step[]> {
    const { model: directory, learning, pack, suggests }: Form = FORMS[form];
    const model = await this.model(directory);
    const { config, tokenizer } = model;
    if (suggests) return suggestSteps(config.shape.vocabulary, tokenizer.encode(TEXT));
    if (pack !== undefined) {
      const messages = MESSAGES.map((text) => tokenizer.encode(text));
      const once = messageSteps(messages, []);
      const lengths = playOracle(model, once).filter((_, i) => stepName(once[i]!) === "packed");
      return messageSteps(
        messages,
        lengths.map((answer) => ("values" in answer ? answer.values[0]! : 0)),
      );
    }
    return goldenSteps(config.shape.vocabulary, tokenizer.encode(TEXT), learning);
  }

  /** What the oracle answers. It has no flash: both forms of a model are held to the same. */
  oracle(form: FormName): Promise<Answer[]> {
    const { model: directory, learning, pack = 0, suggests = false }: Form = FORMS[form];
    return this.once(`${directory}, ${learning}, ${pack}, ${suggests}, oracle`, async () =>
      playOracle(await this.model(directory), await this.steps(form)),
    );
  }

  model(directory: string): Promise<Model> {
    const made = MADE[directory];
    return this.once(directory, async () => load(made ? await randomModel(made) : directory));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private package(directory: string, options: PackageOptions): Promise<Package> {
    return this.once(`${directory}, ${JSON.stringify(options)}, package`, async () =>
      packageModel(await this.model(directory), options),
    );
  }

  private once<T>(name: string, make: (name: string) => Promise<T>): Promise<T> {
    if (!this.known.has(name)) this.known.set(name, make(name));
    return this.known.get(name) as Promise<T>;
  }
}

/** The first answer that is not as wanted, in words; undefined where all are. */
export function difference(
  steps: readonly Step[],
  wanted: readonly Answer[],
  found: readonly Answer[],
): string | undefined {
  for (const [i, step] of steps.entries()) {
    const [a, b] = [wanted[i]!, found[i]];
    const place = `step ${i}, ${stepName(step)}`;
    if (b === undefined) return `${place}: no answer`;
    if (digestOf(a) === digestOf(b)) continue;
    if (!("values" in a && "values" in b)) return `${place}: digest ${digestOf(b)}, not ${digestOf(a)}`;
    const at = a.values.findIndex((value, j) => value !== b.values[j]);
    return at < 0
      ? `${place}: ${b.values.length} values, not ${a.values.length}`
      : `${place}, value ${at}: ${b.values[at]}, not ${a.values[at]}`;
  }
  return found.length > steps.length ? `${found.length} answers to ${steps.length} steps` : undefined;
}

/** One digest of all answers, 16 hexadecimal digits. */
export function digestOfAll(answers: readonly Answer[]): string {
  return createHash("sha256").update(answers.map(digestOf).join()).digest("hex").slice(0, 16);
}
