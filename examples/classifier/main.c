/* Classifies what comes on standard input, SAFFU_INPUT_BYTES at a time, as a board would what its camera or sensor gives. */
#include "classifier.h" /* saffu classify compile DIR --target c-header --out classifier.h */
#include <stdio.h>
#include <string.h>
#include <wasm3.h>

/* Bytes of wasm3's operand stack. */
#define STACK_BYTES 4096

static IM3Runtime runtime;

/* Calls an export without arguments, or with one; what it answers. */
static M3Result call(const char *name, int arguments, int32_t argument, int32_t *answer) {
  IM3Function function;
  M3Result result = m3_FindFunction(&function, runtime, name);
  if (!result) result = arguments ? m3_CallV(function, argument) : m3_CallV(function);
  return result ? result : m3_GetResultsV(function, answer);
}

int main(void) {
  static uint8_t input[SAFFU_INPUT_BYTES];
  IM3Environment environment = m3_NewEnvironment();
  IM3Module module;
  int32_t answer = 0, at = 0, probabilities = 0;
  M3Result result;
  if (!environment || !(runtime = m3_NewRuntime(environment, STACK_BYTES, NULL))) return 1;
  result = m3_ParseModule(environment, &module, saffu_module, SAFFU_MODULE_BYTES);
  if (!result) result = m3_LoadModule(runtime, module);
  if (!result) result = call("begin", 0, 0, &answer);
  if (!result) result = call("input", 0, 0, &at);
  if (!result) result = call("probabilities", 0, 0, &probabilities);
  if (result || answer < 0) {
    fprintf(stderr, "no classifier: %s\n", result ? result : "its plan is none");
    return 1;
  }
  while (fread(input, 1, sizeof input, stdin) == sizeof input) {
    uint32_t size;
    uint8_t *memory = m3_GetMemory(runtime, &size, 0);
    float probability;
    memcpy(memory + at, input, sizeof input);
    if ((result = call("classify", 1, SAFFU_FEATURES, &answer)) || answer < 0) {
      fprintf(stderr, "not classified: %s\n", result ? result : "its input is none");
      return 1;
    }
    memcpy(&probability, m3_GetMemory(runtime, &size, 0) + probabilities + 4 * answer, 4);
    printf("%s %.4f\n", saffu_labels[answer], (double)probability);
  }
  return 0;
}
