// Specs that plain.asconfig.json compiles: those of kernels that one-hot inputs, rows of 8 bits, a window without attention, a history
// without an index, or a single layer make another of. The other specs would only run twice.
import base from "../../as-pect.config.js";

const OTHER = [
  "common/cipher",
  "layers/*",
  "history/find",
  "history/history",
  "device/index",
  "device/layout",
  "solver/codes",
  "solver/gradient",
  "solver/groups",
  "solver/index",
  "solver/layout",
  "solver/scaling",
];

export default { ...base, entries: OTHER.map((name) => `assembly/__tests__/${name}.spec.ts`) };
