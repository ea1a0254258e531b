/** Writing tokenizer.json. */
import type { Merge } from "./bpe.ts";
import { spell } from "./bytes.ts";
import { PATTERNS, type Split } from "./pretokenize.ts";

/**
 * A byte-level BPE in the Hugging Face format, as both its Rust and its JavaScript library read it. Merges are written as pairs
 * (tokenizers ≥ 0.20).
 *
 * @param bytes of each token, by id
 */
export function writeJSON(bytes: readonly Uint8Array[], merges: readonly Merge[], split: Split): object {
  const entries = bytes.map(spell);
  const regex = PATTERNS.get(split);
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: regex === undefined };
  const pattern = { type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: regex === undefined ? byteLevel : { type: "Sequence", pretokenizers: [pattern, byteLevel] },
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      // fromEntries, since an assignment to the entry "__proto__" would be lost
      vocab: Object.fromEntries(entries.map((entry, token) => [entry, token])),
      merges: merges.map(([left, right]) => [entries[left], entries[right]]),
    },
  };
}
