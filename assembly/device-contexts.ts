// The device module of a shape with more than the plain block context: the same calls, and the addresses of what such a shape has beside it.
export * from "./device";
export {
  BLOCK_W,
  BLOCK_W0,
  DOCUMENT_U,
  DOCUMENT_U_LEVELS,
  DOCUMENT_U_SCALE,
  DOCUMENT_U0,
  STACKED_U,
  STACKED_U_LEVELS,
  STACKED_U_SCALE,
  STACKED_U0,
} from "./memory";
