/** The tokenizer's public names. Training is apart (train.ts), so that what only runs models does not carry it. */
export { type Boundary, checkBoundary, newlineOf } from "./boundary.ts";
export { isIds } from "./ids.ts";
export { tokenizerFromJSON } from "./json-read.ts";
export { bytesOfChunks, type Chunks, encodeSettled, encodeStream, settledPrefix } from "./stream.ts";
export { SymbolTokenizer, symbolTokenizer } from "./symbols.ts";
export { byteTokenizer, type Text, type Tokenizer } from "./tokenizer.ts";
