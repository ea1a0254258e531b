// Specs that long.asconfig.json and those that extend it compile: those of kernels that long matches and a memory make another of. A solver
// has neither.
import base from "../../as-pect.config.js";

const OTHER = ["history/candidates", "history/find", "history/followers", "history/memory", "device/layout", "device/long-mixture"];

export default { ...base, disclude: [/node_modules/], entries: OTHER.map((name) => `assembly/__tests__/${name}.spec.ts`) };
