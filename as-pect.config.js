// Specs of the kernels, one file each, in folders as the kernels are; see assembly/__tests__/. Run by `npm run test:kernels`, over three
// builds: as-pect.asconfig.json and simd.asconfig.json of a model with every kind of layer, plain.asconfig.json of one with none of the rest.
// Long matches and their memory have three more: looked through in both builds, and indexed, of two bytes a token.
export default {
  entries: ["assembly/__tests__/**/*.spec.ts"],
  include: [],
  disclude: [/node_modules/, /history\/(candidates|followers|memory)\.spec|long-mixture\.spec/], // of long matches alone
  async instantiate(memory, createImports, instantiate, binary) {
    return instantiate(binary, createImports({ env: { memory } }));
  },
  outputBinary: false,
};
