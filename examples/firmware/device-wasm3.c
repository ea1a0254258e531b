/* The module on wasm3 0.5.0. Linear memory, stack and code pages come from wasm3's own allocator (its d_m3FixedHeap: no heap at all). */
#include "device.h"
#include "saffu_model.h"
#include <m3_env.h> /* for memoryLimit alone, which wasm3.h does not have */
#include <string.h>
#include <wasm3.h>

/* Bytes of wasm3's operand stack, 4 to a slot: see README.md for what is needed. */
#ifndef SAFFU_STACK_BYTES
#define SAFFU_STACK_BYTES 2048
#endif
/* A page is 64 KiB, and the module needs less: wasm3 then allocates, and checks accesses against, no more than this. */
#ifndef SAFFU_MEMORY_LIMIT
#define SAFFU_MEMORY_LIMIT SAFFU_MEMORY_BYTES
#endif

/* In the order of NAMES. */
enum { RESET, APPEND, FEED, PREDICT, SEED, SAMPLE, OBSERVE, FORGET, REFIT, CORRECT, COMMON };
enum { PACK_FROM = COMMON, PACK, PACKED, UNPACK_FROM, UNPACK, WITH_MESSAGES };
enum { FUNCTIONS = SAFFU_PACK > 0 ? WITH_MESSAGES : COMMON };
static const char *const NAMES[WITH_MESSAGES] = {"reset",  "append", "feed",    "predict",  "seed",
                                                 "sample", "observe", "forget", "refit",    "correct",
                                                 "packFrom", "pack", "packed",  "unpackFrom", "unpack"};

static IM3Runtime runtime;
static IM3Function functions[FUNCTIONS];
static uint32_t probabilities, statistics, statistics_end, frame; /* addresses in linear memory */
static M3Result refusal;
int saffu_flash_broken;

#if SAFFU_WEIGHT_BYTES > 0
/*
 * saffu.read(offset, destination, bytes): bytes copied, fewer is a failure. Here the weights are a const array, which a linker puts
 * into flash that is mapped into the address space (XIP). Where they are not mapped, this memcpy is where the read goes:
 * esp_partition_read, Zephyr's flash_read, or a SPI transfer of READ (03h), 24 bits of address, `bytes` in. It may block.
 */
static m3ApiRawFunction(read_flash) {
  m3ApiReturnType(int32_t) m3ApiGetArg(uint32_t, offset) m3ApiGetArg(uint32_t, destination) m3ApiGetArg(uint32_t, bytes)
  const uint32_t memory = m3_GetMemorySize(runtime);
  (void)_ctx;
  if (saffu_flash_broken) m3ApiReturn(0)
  if (offset > SAFFU_WEIGHT_BYTES || bytes > SAFFU_WEIGHT_BYTES - offset) m3ApiReturn(0)
  if (destination > memory || bytes > memory - destination) m3ApiReturn(0)
  memcpy((uint8_t *)_mem + destination, saffu_weights + offset, bytes);
  m3ApiReturn((int32_t)bytes)
}
#endif

static int32_t refused(M3Result result) {
  refusal = result;
  return SAFFU_RUNTIME;
}

const char *saffu_error(void) { return refusal ? refusal : ""; }

/* Looks up the exported constant `name`, an address. */
static M3Result address_of(IM3Module module, const char *name, uint32_t *address) {
  M3TaggedValue value;
  const M3Result result = m3_GetGlobal(m3_FindGlobal(module, name), &value);
  if (!result) *address = value.value.i32;
  return result;
}

int32_t saffu_start(void) {
  IM3Environment environment;
  IM3Module module;
  M3Result result;
  if (!(environment = m3_NewEnvironment())) return refused(m3Err_mallocFailed);
  if (!(runtime = m3_NewRuntime(environment, SAFFU_STACK_BYTES, NULL))) return refused(m3Err_mallocFailed);
  runtime->memoryLimit = SAFFU_MEMORY_LIMIT;
  if ((result = m3_ParseModule(environment, &module, saffu_module, SAFFU_MODULE_BYTES))) return refused(result);
  if ((result = m3_LoadModule(runtime, module))) {
    m3_FreeModule(module);
    return refused(result);
  }
#if SAFFU_WEIGHT_BYTES > 0
  if ((result = m3_LinkRawFunction(module, "saffu", "read", "i(iii)", read_flash))) return refused(result);
#endif
  /* wasm3 compiles a function when it is looked up, and those that it calls when they are first called. */
  for (int i = 0; i < FUNCTIONS; ++i) {
    if ((result = m3_FindFunction(&functions[i], runtime, NAMES[i]))) return refused(result);
  }
  if ((result = address_of(module, "PROBABILITIES", &probabilities))) return refused(result);
  if ((result = address_of(module, "OBSERVED", &statistics))) return refused(result);
  if ((result = address_of(module, "OBSERVED_TOKENS", &statistics_end))) return refused(result);
  if (SAFFU_PACK > 0 && (result = address_of(module, "PACKED", &frame))) return refused(result);
  return 0;
}

/* The result of the call of `function` that `called` came from. */
static int32_t integer(int function, M3Result called) {
  int32_t value;
  if (!called) called = m3_GetResultsV(functions[function], &value);
  return called ? refused(called) : value;
}

static float number(int function, M3Result called) {
  float value;
  if (!called) called = m3_GetResultsV(functions[function], &value);
  return called ? (float)refused(called) : value;
}

int32_t saffu_reset(void) { return integer(RESET, m3_CallV(functions[RESET])); }

int32_t saffu_append(uint32_t token) { return integer(APPEND, m3_CallV(functions[APPEND], token)); }

float saffu_feed(uint32_t token) { return number(FEED, m3_CallV(functions[FEED], token)); }

int32_t saffu_predict(void) { return integer(PREDICT, m3_CallV(functions[PREDICT])); }

int32_t saffu_seed(uint32_t value) {
  const M3Result called = m3_CallV(functions[SEED], value);
  return called ? refused(called) : 0;
}

int32_t saffu_sample(float temperature, uint32_t top_k, float top_p) {
  return integer(SAMPLE, m3_CallV(functions[SAMPLE], (double)temperature, top_k, (double)top_p));
}

float saffu_observe(uint32_t token) { return number(OBSERVE, m3_CallV(functions[OBSERVE], token)); }

float saffu_forget(uint32_t token) { return number(FORGET, m3_CallV(functions[FORGET], token)); }

int32_t saffu_refit(uint32_t from, uint32_t to, float pseudo_counts, float step) {
  return integer(REFIT, m3_CallV(functions[REFIT], from, to, (double)pseudo_counts, (double)step));
}

int32_t saffu_correct(int32_t on) { return integer(CORRECT, m3_CallV(functions[CORRECT], on)); }

const uint8_t *saffu_probabilities(void) { return m3_GetMemory(runtime, NULL, 0) + probabilities; }

void saffu_weigh(uint32_t token, float weight) {
  /* as linear memory has it: little-endian, as this machine is, or wasm3 would not run here */
  memcpy(m3_GetMemory(runtime, NULL, 0) + probabilities + 4 * token, &weight, 4);
}

uint8_t *saffu_statistics(size_t *bytes) {
  *bytes = statistics_end > statistics ? statistics_end + 4 - statistics : 0;
  return *bytes > 0 ? m3_GetMemory(runtime, NULL, 0) + statistics : NULL;
}

#if SAFFU_PACK > 0
int32_t saffu_pack_from(uint32_t begin) { return integer(PACK_FROM, m3_CallV(functions[PACK_FROM], begin)); }

int32_t saffu_pack_token(uint32_t token) { return integer(PACK, m3_CallV(functions[PACK], token)); }

int32_t saffu_packed(void) { return integer(PACKED, m3_CallV(functions[PACKED])); }

int32_t saffu_unpack_from(uint32_t begin, uint32_t bytes) {
  return integer(UNPACK_FROM, m3_CallV(functions[UNPACK_FROM], begin, bytes));
}

int32_t saffu_unpack_token(void) { return integer(UNPACK, m3_CallV(functions[UNPACK])); }

uint8_t *saffu_frame(void) { return m3_GetMemory(runtime, NULL, 0) + frame; }
#endif
