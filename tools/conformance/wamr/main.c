/*
 * The golden script on WAMR: golden MODULE STEP... calls exports of a module of ../driver-module.ts, which answer digests, in order, and
 * writes the JSON lines of ../script.ts. This WAMR has no imports other than from "env", and no addresses that a module exports.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wasm_export.h>

enum { STACK_BYTES = 16384 };

static int fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why ? why : "failed");
  return 1;
}

static uint8_t *contents(const char *path, uint32_t *bytes) {
  FILE *file = fopen(path, "rb");
  uint8_t *data = NULL;
  long end;
  if (!file) return NULL;
  if (fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) > 0 && (data = malloc((size_t)end))) {
    rewind(file);
    *bytes = (uint32_t)fread(data, 1, (size_t)end, file);
  }
  fclose(file);
  return data;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(int words, char **word) {
  char error[128] = "";
  uint32_t bytes = 0;
  uint8_t *module_bytes = words > 1 ? contents(word[1], &bytes) : NULL;
  if (!module_bytes) return fail(word[0], "no module");
  if (!wasm_runtime_init()) return fail("wasm_runtime_init", NULL);
  wasm_module_t module = wasm_runtime_load(module_bytes, bytes, error, sizeof error);
  if (!module) return fail("load", error);
  wasm_module_inst_t instance = wasm_runtime_instantiate(module, STACK_BYTES, 0, error, sizeof error);
  if (!instance) return fail("instantiate", error);
  wasm_exec_env_t environment = wasm_runtime_create_exec_env(instance, STACK_BYTES);
  if (!environment) return fail("create_exec_env", NULL);
  printf("{\"version\":\"%s\"}\n", WAMR_VERSION);
  for (int i = 2; i < words; ++i) {
    wasm_function_inst_t step = wasm_runtime_lookup_function(instance, word[i], NULL);
    uint32_t result[2] = {0, 0};
    if (!step) return fail(word[i], "no such export");
    double start = seconds();
    if (!wasm_runtime_call_wasm(environment, step, 0, result)) return fail(word[i], wasm_runtime_get_exception(instance));
    double took = seconds() - start;
    uint64_t digest;
    memcpy(&digest, result, sizeof digest);
    printf("{\"digest\":\"%016" PRIx64 "\",\"seconds\":%.9f}\n", digest, took);
  }
  return 0;
}
