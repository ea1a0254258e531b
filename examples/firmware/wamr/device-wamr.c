/*
 * The module on WAMR, the WebAssembly Micro Runtime, with its classic interpreter. All that it allocates comes from `pool`, a static
 * array; linear memory is no larger than the module needs, since the module exports __data_end and __heap_base and cannot grow.
 */
#include "device.h"
#include "saffu_model.h"
#include <stdio.h>
#include <string.h>
#include <wasm_export.h>
#ifdef SAFFU_WAMR_1
#include <wasm.h> /* for the addresses that the module exports: wasm_export.h has nothing for them before WAMR 2 */
#endif

/* Bytes of the interpreter's stack, and what WAMR needs beside linear memory: see README.md. */
#ifndef SAFFU_STACK_BYTES
#define SAFFU_STACK_BYTES 4096
#endif
#ifdef SAFFU_WAMR_1
#define SAFFU_LINEAR_BYTES ((SAFFU_MEMORY_BYTES + 65535) / 65536 * 65536) /* whole pages */
#else
#define SAFFU_LINEAR_BYTES SAFFU_MEMORY_BYTES
#endif
#ifndef SAFFU_POOL_BYTES
#define SAFFU_POOL_BYTES (SAFFU_LINEAR_BYTES + SAFFU_STACK_BYTES + 32768)
#endif

/* In the order of NAMES. */
enum { RESET, APPEND, FEED, PREDICT, SEED, SAMPLE, OBSERVE, FORGET, REFIT, CORRECT, COMMON };
enum { PACK_FROM = COMMON, PACK, PACKED, UNPACK_FROM, UNPACK, WITH_MESSAGES };
enum { FUNCTIONS = SAFFU_PACK > 0 ? WITH_MESSAGES : COMMON };
static const char *const NAMES[WITH_MESSAGES] = {"reset",  "append", "feed",    "predict",  "seed",
                                                 "sample", "observe", "forget", "refit",    "correct",
                                                 "packFrom", "pack", "packed",  "unpackFrom", "unpack"};

static _Alignas(16) uint8_t pool[SAFFU_POOL_BYTES];
/* WAMR writes into the module's bytes, and refers to them: a copy in RAM. The flash form's is small, as it has no weights. */
static uint8_t code[SAFFU_MODULE_BYTES];
static wasm_module_t module;
static wasm_module_inst_t instance;
static wasm_exec_env_t environment;
static wasm_function_inst_t functions[FUNCTIONS];
static uint32_t probabilities, statistics, statistics_end, frame; /* addresses in linear memory */
static char error[128];
int saffu_flash_broken;

#if SAFFU_WEIGHT_BYTES > 0
/* saffu.read, as in device-wasm3.c. By the signature's *~ WAMR has checked that `bytes` fit at `destination`. */
static int32_t read_flash(wasm_exec_env_t of, uint32_t offset, uint8_t *destination, uint32_t bytes) {
  (void)of;
  if (saffu_flash_broken) return 0;
  if (offset > SAFFU_WEIGHT_BYTES || bytes > SAFFU_WEIGHT_BYTES - offset) return 0;
  memcpy(destination, saffu_weights + offset, bytes);
  return (int32_t)bytes;
}
/* not const: WAMR sorts them, and keeps the pointer */
static NativeSymbol natives[] = {{"read", (void *)read_flash, "(i*~)i", NULL}};
#endif

static int32_t refused(const char *why) {
  if (why != error) snprintf(error, sizeof error, "%s", why ? why : "");
  return SAFFU_RUNTIME;
}

const char *saffu_error(void) { return error; }

#ifdef SAFFU_WAMR_1
#define LOOKUP(name) wasm_runtime_lookup_function(instance, name, NULL)
static int address_of(const char *name, uint32_t *address) {
  const WASMModule *of = (const WASMModule *)module;
  for (uint32_t i = 0; i < of->export_count; ++i) {
    const WASMExport *exported = &of->exports[i];
    if (exported->kind != EXPORT_KIND_GLOBAL || strcmp(exported->name, name) != 0) continue;
    *address = (uint32_t)of->globals[exported->index - of->import_global_count].init_expr.u.i32;
    return 1;
  }
  return 0;
}
#else
#define LOOKUP(name) wasm_runtime_lookup_function(instance, name)
/* Looks up the exported constant `name`, an address. */
static int address_of(const char *name, uint32_t *address) {
  wasm_global_inst_t found;
  if (!wasm_runtime_get_export_global_inst(instance, name, &found)) return 0;
  memcpy(address, found.global_data, sizeof *address);
  return 1;
}
#endif

int32_t saffu_start(void) {
  RuntimeInitArgs arguments;
  memset(&arguments, 0, sizeof arguments);
  arguments.mem_alloc_type = Alloc_With_Pool;
  arguments.mem_alloc_option.pool.heap_buf = pool;
  arguments.mem_alloc_option.pool.heap_size = sizeof pool;
#if SAFFU_WEIGHT_BYTES > 0
  arguments.native_module_name = "saffu";
  arguments.native_symbols = natives;
  arguments.n_native_symbols = 1;
#endif
  if (!wasm_runtime_full_init(&arguments)) return refused("WAMR does not start");
  memcpy(code, saffu_module, sizeof code);
  if (!(module = wasm_runtime_load(code, sizeof code, error, sizeof error))) return refused(error);
  /* no heap for the module: it allocates nothing */
  instance = wasm_runtime_instantiate(module, SAFFU_STACK_BYTES, 0, error, sizeof error);
  if (!instance) return refused(error);
  if (!(environment = wasm_runtime_create_exec_env(instance, SAFFU_STACK_BYTES))) return refused("no room for the stack");
  for (int i = 0; i < FUNCTIONS; ++i) {
    if (!(functions[i] = LOOKUP(NAMES[i]))) return refused(NAMES[i]);
  }
  if (!address_of("PROBABILITIES", &probabilities)) return refused("PROBABILITIES");
  if (!address_of("OBSERVED", &statistics)) return refused("OBSERVED");
  if (!address_of("OBSERVED_TOKENS", &statistics_end)) return refused("OBSERVED_TOKENS");
  if (SAFFU_PACK > 0 && !address_of("PACKED", &frame)) return refused("PACKED");
  return 0;
}

/* Calls with arguments as 32-bit words; the first word becomes the result. */
static int32_t call(int function, uint32_t count, uint32_t *words) {
  if (wasm_runtime_call_wasm(environment, functions[function], count, words)) return 0;
  refused(wasm_runtime_get_exception(instance));
  wasm_runtime_clear_exception(instance);
  return SAFFU_RUNTIME;
}

static int32_t integer(int function, uint32_t count, uint32_t *words) {
  const int32_t code_of_call = call(function, count, words);
  return code_of_call < 0 ? code_of_call : (int32_t)words[0];
}

static float number(int function, uint32_t count, uint32_t *words) {
  float value;
  if (call(function, count, words) < 0) return SAFFU_RUNTIME;
  memcpy(&value, words, sizeof value);
  return value;
}

static uint32_t word_of(float value) {
  uint32_t word;
  memcpy(&word, &value, sizeof word);
  return word;
}

int32_t saffu_reset(void) { return integer(RESET, 0, (uint32_t[1]){0}); }

int32_t saffu_append(uint32_t token) { return integer(APPEND, 1, &token); }

float saffu_feed(uint32_t token) { return number(FEED, 1, &token); }

int32_t saffu_predict(void) { return integer(PREDICT, 0, (uint32_t[1]){0}); }

int32_t saffu_seed(uint32_t value) { return call(SEED, 1, &value); }

int32_t saffu_sample(float temperature, uint32_t top_k, float top_p) {
  return integer(SAMPLE, 3, (uint32_t[3]){word_of(temperature), top_k, word_of(top_p)});
}

float saffu_observe(uint32_t token) { return number(OBSERVE, 1, &token); }

float saffu_forget(uint32_t token) { return number(FORGET, 1, &token); }

int32_t saffu_refit(uint32_t from, uint32_t to, float pseudo_counts, float step) {
  return integer(REFIT, 4, (uint32_t[4]){from, to, word_of(pseudo_counts), word_of(step)});
}

int32_t saffu_correct(int32_t on) { return integer(CORRECT, 1, (uint32_t[1]){(uint32_t)on}); }

const uint8_t *saffu_probabilities(void) { return wasm_runtime_addr_app_to_native(instance, probabilities); }

void saffu_weigh(uint32_t token, float weight) {
  memcpy((uint8_t *)wasm_runtime_addr_app_to_native(instance, probabilities) + 4 * token, &weight, 4);
}

uint8_t *saffu_statistics(size_t *bytes) {
  *bytes = statistics_end > statistics ? statistics_end + 4 - statistics : 0;
  return *bytes > 0 ? wasm_runtime_addr_app_to_native(instance, statistics) : NULL;
}

#if SAFFU_PACK > 0
int32_t saffu_pack_from(uint32_t begin) { return integer(PACK_FROM, 1, &begin); }

int32_t saffu_pack_token(uint32_t token) { return integer(PACK, 1, &token); }

int32_t saffu_packed(void) { return integer(PACKED, 0, (uint32_t[1]){0}); }

int32_t saffu_unpack_from(uint32_t begin, uint32_t bytes) {
  return integer(UNPACK_FROM, 2, (uint32_t[2]){begin, bytes});
}

int32_t saffu_unpack_token(void) { return integer(UNPACK, 0, (uint32_t[1]){0}); }

uint8_t *saffu_frame(void) { return wasm_runtime_addr_app_to_native(instance, frame); }
#endif
