/*
 * Watches the lines of standard input, as a board would those of its log: for each that begins, goes on with or ends an alarm it writes
 *
 *     line rank of score begin|on|end template
 *
 * With SAFFU_WATCH_MODEL a language model's surprise counts as well (make model). `watch --memory` says what it takes.
 */
#include "watch.h" /* header.mjs */
#include <m3_env.h> /* for memoryLimit alone, which wasm3.h does not have */
#include <stdio.h>
#include <string.h>
#include <wasm3.h>
#ifdef SAFFU_WATCH_MODEL
#include "device.h" /* of examples/firmware, with its device-wasm3.c, meaning.c and tokens.c */
#include "saffu_model.h"
#include "tokens.h"
#endif
#ifdef __GLIBC__
#include <malloc.h>
#endif

#if SAFFU_WATCH_KIND == 1
#error "this host reads lines or symbols: a row of numbers is SAFFU_WATCH_COLUMNS f32 at input(), and push(0, 0, verdict)"
#endif

/* Bytes of wasm3's operand stack. */
#ifndef STACK_BYTES
#define STACK_BYTES 2048
#endif
/* What push answers of a row. */
enum { ALARM = 1, BEGINS = 2, ENDS = 4 };
/* Of the last row: bits and score in sixteenths of a bit, rank, among how many, template. */
enum { BITS, SCORE, RANK, RANKED, TEMPLATE };
enum { BEGIN, INPUT, PUSH, RESULT, FUNCTIONS };
static const char *const NAMES[FUNCTIONS] = {"begin", "input", "push", "result"};

static IM3Runtime runtime;
static IM3Function functions[FUNCTIONS];
static uint32_t input;

static int failed(const char *what) {
  fprintf(stderr, "watch: %s\n", what);
  return 1;
}

/* What the call of `function` that `called` came from has answered: 0 or above, or an error below. */
static int32_t answer(int function, M3Result called) {
  int32_t value;
  if (!called) called = m3_GetResultsV(functions[function], &value);
  if (!called) return value;
  failed(called);
  return -100;
}

static int32_t result(int part) { return answer(RESULT, m3_CallV(functions[RESULT], part)); }

static M3Result start(void) {
  IM3Environment environment = m3_NewEnvironment();
  IM3Module module;
  M3Result refused;
  if (!environment || !(runtime = m3_NewRuntime(environment, STACK_BYTES, NULL))) return m3Err_mallocFailed;
  /* a page is 64 KiB, and the watch needs less: wasm3 then allocates, and checks accesses against, no more than this */
  runtime->memoryLimit = SAFFU_WATCH_MEMORY_BYTES;
  if ((refused = m3_ParseModule(environment, &module, saffu_watch_module, SAFFU_WATCH_MODULE_BYTES))) return refused;
  if ((refused = m3_LoadModule(runtime, module))) return refused;
  for (int i = 0; i < FUNCTIONS; ++i) {
    if ((refused = m3_FindFunction(&functions[i], runtime, NAMES[i]))) return refused;
  }
  if (answer(BEGIN, m3_CallV(functions[BEGIN])) != 0) return "its plan is none";
  input = (uint32_t)answer(INPUT, m3_CallV(functions[INPUT]));
  return NULL;
}

/* The next line's first bytes, as many as are looked at, without its end; -1 where there is none. */
static int read_line(uint8_t line[SAFFU_WATCH_LINE_BYTES]) {
  size_t length = 0;
  int c, last = 0;
  while ((c = getchar()) != EOF && c != '\n') {
    if (length < SAFFU_WATCH_LINE_BYTES) line[length] = (uint8_t)c;
    ++length;
    last = c;
  }
  if (c == EOF && length == 0) return -1;
  if (last == '\r') --length;
  return (int)(length < SAFFU_WATCH_LINE_BYTES ? length : SAFFU_WATCH_LINE_BYTES);
}

/* Sixteenths of a bit that a language model is surprised by, of each token what is above the ordinary; below 0 an error. */
static int32_t model_bits(const uint8_t *line, int length) {
#ifdef SAFFU_WATCH_MODEL
  enum { ORDINARY = 4 }; /* bits of a token, as the library has it */
  static uint16_t tokens[SAFFU_WATCH_LINE_BYTES + 1];
  double bits = 0;
  int32_t code = saffu_reset();
  size_t count = saffu_encode("\n", 1, tokens);
  for (size_t i = 0; code >= 0 && i < count; ++i) {
    if (saffu_feed(tokens[i]) < 0) code = -1;
  }
  count = saffu_encode((const char *)line, (size_t)length, tokens);
  for (size_t i = 0; code >= 0 && i < count; ++i) {
    const float surprisal = saffu_feed(tokens[i]);
    if (surprisal < 0) code = -1;
    if (surprisal > ORDINARY) bits += (double)surprisal - ORDINARY;
  }
  return code < 0 ? code : bits * 16 < 1 << 30 ? (int32_t)(bits * 16) : 1 << 30;
#else
  (void)line;
  (void)length;
  return 0;
#endif
}

static void tell(void) {
  printf("linear memory %d\nstate to keep over a power cut %d\nmodule, in flash %d\nwasm3's operand stack %d\n", SAFFU_WATCH_MEMORY_BYTES,
         SAFFU_WATCH_STATE_BYTES, SAFFU_WATCH_MODULE_BYTES, STACK_BYTES);
#ifdef __GLIBC__
  const struct mallinfo2 heap = mallinfo2();
  printf("heap, all of these but the module %zu\n", heap.uordblks + heap.hblkhd);
#endif
}

int main(int arguments, char **words) {
  static uint8_t line[SAFFU_WATCH_LINE_BYTES];
  const int asked = arguments > 1 && !strcmp(words[1], "--memory");
  const M3Result refused = start();
  if (refused) return failed(refused);
#ifdef SAFFU_WATCH_MODEL
  if (saffu_start() < 0) return failed(saffu_error());
#endif
  unsigned long rows = 0;
  for (int length; (length = read_line(line)) >= 0;) {
    const int32_t model = model_bits(line, length);
    if (model < 0) return failed("the model refuses the line");
    uint32_t size;
    if (length > 0) memcpy(m3_GetMemory(runtime, &size, 0) + input, line, (size_t)length);
    const int32_t flags = answer(PUSH, m3_CallV(functions[PUSH], length, model, 0));
    if (flags < 0) return failed("the line is not taken");
    ++rows;
    if (asked || !(flags & (ALARM | ENDS))) continue;
    printf("%lu %d %d %.4f %s %08x\n", rows, (int)result(RANK), (int)result(RANKED), result(SCORE) / 16.0,
           flags & BEGINS ? "begin" : flags & ENDS ? "end" : "on", (unsigned)result(TEMPLATE));
  }
  if (asked) tell();
  return 0;
}
