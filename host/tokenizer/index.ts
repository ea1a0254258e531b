/** The tokenizer's public names. Training is apart (train.ts), so that what only runs models does not carry it. */
export { tokenizerFromJSON } from "./json-read.ts";
export { type Chunks, encodeSettled, encodeStream, settledPrefix } from "./stream.ts";
export { byteTokenizer, type Tokenizer } from "./tokenizer.ts";
