/**
 * Options that the command line once had. Who still types one is told in one line what replaces it, in place of "unknown option".
 *
 * An option that goes, or gets another name, is added here when it is removed from main.ts:
 *
 *     fit: { "--old": "is --new now" },
 */

/** What has become of an option, as it reads after its name: by command, then by flag as it was typed. */
const GONE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  fit: {
    "--decoder": "is gone: softmax is the only decoder",
    "--positions": "is gone: positions of the window have decaying weights, or attention",
    "--block": "is --window now",
    "--heads": "is --groups now",
    "--classes": "is --units now",
    "--radial": "is --history now",
    "--orders": "is --match-length now",
    "--block-attention": "is --window-attention now",
    "--no-block-attention": "is --no-window-attention now",
    "--document-heads": "is --document-groups now",
    "--stacked-heads": "is --second-groups now",
    "--stacked-block": "is --second-window now",
  },
  tune: {
    "--thaw": "is gone: inputs are one-hot or ciphers, and stay as they are",
  },
  eval: { "--flavour": "is --build now" },
  generate: { "--flavour": "is --build now" },
  compile: {
    "--flavour": "is --build now",
    "--radial": "is --history now; with --no-indexed for a short one",
  },
  refit: {
    "--mass": "is --pseudo-counts now",
    "--scope": "is gone: a refit solves the decoder alone; saffu fit or saffu tune change the lower layers",
    "--search": "is gone: --step takes a number, and saffu eval of held-out text says which is best",
  },
};

/**
 * The line for an option that commander does not know, where it was one once.
 *
 * @param complaint of commander: `error: unknown option '--scope=all'`
 */
export function goneOption(command: string | undefined, complaint: string): string | undefined {
  const flag = /unknown option '(--?[\w-]+)/.exec(complaint)?.[1];
  const was = command !== undefined && Object.hasOwn(GONE, command) ? GONE[command]! : {};
  return flag !== undefined && Object.hasOwn(was, flag) ? `${flag} ${was[flag]}` : undefined;
}
