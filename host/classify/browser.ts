/** saffu/classify in a browser: classifiers without language models. Under Node the package itself has them. */
export { type ErrorCode, SaffuError } from "../errors.ts";
export * from "./common.ts";
export { FeedForward } from "./feed-forward-web.ts";
