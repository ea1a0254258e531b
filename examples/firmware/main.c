/*
 * A firmware that writes, scores a text, learns it, forgets it again, and is refused what it may not do. What it prints depends on
 * the model alone: every runtime and machine prints the same, to the last bit.
 */
#include "device.h"
#include "saffu_model.h"
#include "tokens.h"
#include <stdio.h>
#include <string.h>

enum { WRITTEN = 200, MOST_TOKENS = 512, REFIT_ROWS = 32, SEED = 2311 };
/* Those that docs/learning.md settles on, whatever the amount of data. */
static const float MASS = 3000, STEP = 1;

static const char PROMPT[] = "In the morning the";
/* What a device might hear: it recurs. */
static const char TEXT[] = "Pump 3 started at 06:00. Pressure 4.1 bar, flow 12 litres a minute, valve open.\n"
                           "Pump 3 stopped at 06:09. Pressure 0.2 bar, flow 0 litres a minute, valve shut.\n"
                           "Pump 4 started at 07:00. Pressure 4.2 bar, flow 13 litres a minute, valve open.\n"
                           "Pump 4 didn't stop at 07:09. Pressure 4.2 bar, flow 13 litres a minute, valve open!\n";

static uint16_t tokens[MOST_TOKENS];
_Static_assert(sizeof TEXT - 1 <= MOST_TOKENS, "a text has at most as many tokens as bytes");

/* Prints what went wrong, and the code; 0 if nothing did. */
static int failed(const char *call, int32_t code) {
  if (code >= 0) return 0;
  const char *error = code == SAFFU_RUNTIME ? saffu_error() : "";
  fprintf(stderr, "%s: %ld, %s%s%s\n", call, (long)code, saffu_meaning(code), *error ? ": " : "", error);
  return 1;
}

/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv */
static const uint64_t NOTHING = 0xcbf29ce484222325;
static uint64_t digest_of(uint64_t digest, const uint8_t *bytes, size_t count) {
  while (count-- > 0) digest = (digest ^ *bytes++) * 0x100000001b3;
  return digest;
}

/* Numbers are digested as 4 bytes, little-endian, whatever the machine. */
static uint64_t digest_of_word(uint64_t digest, uint32_t word) {
  const uint8_t bytes[4] = {(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16), (uint8_t)(word >> 24)};
  return digest_of(digest, bytes, sizeof bytes);
}

/* In halves: the small C libraries print no 64-bit numbers. */
static void print_digest(const char *of, uint64_t digest) {
  printf("%s %08lx%08lx\n", of, (unsigned long)(digest >> 32), (unsigned long)(digest & 0xffffffff));
}

/* Printable ASCII and line ends as they are, every other byte as \xNN. */
static void print_token(uint32_t token) {
  size_t bytes;
  const uint8_t *of = saffu_token(token, &bytes);
  for (size_t i = 0; i < bytes; ++i) {
    if (of[i] == '\n' || (of[i] >= ' ' && of[i] < 127)) putchar(of[i]);
    else printf("\\x%02x", of[i]);
  }
}

/* Begins a text: with an empty context, or behind the token that every text of the model begins behind. 0 or a code. */
static int32_t begin_text(void) {
  const int32_t code = saffu_reset();
  return code < 0 || SAFFU_BEGIN == 65535 ? code : saffu_append(SAFFU_BEGIN);
}

/* Writes WRITTEN tokens after PROMPT. */
static int32_t generate(const char *title, uint64_t *out_digest) {
  uint16_t prompt[sizeof PROMPT];
  const size_t length = saffu_encode(PROMPT, sizeof PROMPT - 1, prompt);
  uint64_t digest = NOTHING;
  int32_t code = begin_text();
  if (code >= 0) code = saffu_seed(SEED);
  for (size_t i = 0; code >= 0 && i < length; ++i) code = (int32_t)saffu_feed(prompt[i]); /* surprisal, or a code below 0 */
  if (failed("the prompt", code)) return code;
  printf("\n%s\n| %s", title, PROMPT);
  for (int i = 0; i < WRITTEN; ++i) {
    const int32_t token = saffu_sample(0.8f, 0, 1);
    if (failed("sample", token)) return token;
    print_token((uint32_t)token);
    digest = digest_of_word(digest, (uint32_t)token);
    if (failed("append", code = saffu_append((uint32_t)token))) return code;
  }
  printf("\n");
  print_digest("tokens", digest);
  if (failed("predict", code = saffu_predict())) return code;
  print_digest("probabilities after them", digest_of(NOTHING, saffu_probabilities(), SAFFU_VOCABULARY * 4));
  *out_digest = digest;
  return 0;
}

/* Calls `call`, which is saffu_feed, saffu_observe or saffu_forget, with each token of TEXT from a reset on. */
static int32_t go_through(const char *title, float (*call)(uint32_t)) {
  const size_t length = saffu_encode(TEXT, sizeof TEXT - 1, tokens);
  uint64_t digest = NOTHING;
  double bits = 0;
  const int32_t code = begin_text();
  if (failed("reset", code)) return code;
  for (size_t i = 0; i < length; ++i) {
    const float surprisal = call(tokens[i]);
    uint32_t word;
    if (surprisal < 0) {
      failed(title, (int32_t)surprisal);
      return (int32_t)surprisal; /* to take a failed piece back: the inverse, over the tokens before i */
    }
    memcpy(&word, &surprisal, sizeof word);
    digest = digest_of_word(digest, word);
    bits += (double)surprisal;
  }
  /* as an integer: the small C libraries print no floating point */
  const unsigned long milli = (unsigned long)(bits * 1000 / (sizeof TEXT - 1) + 0.5);
  printf("\n%s: %lu tokens, %lu bytes, %lu.%03lu bits a byte\n", title, (unsigned long)length,
         (unsigned long)(sizeof TEXT - 1), milli / 1000, milli % 1000);
  print_digest("surprisals", digest);
  return 0;
}

static uint64_t print_statistics(void) {
  size_t bytes;
  const uint8_t *statistics = saffu_statistics(&bytes);
  const uint64_t digest = digest_of(NOTHING, statistics, bytes);
  printf("statistics, %lu bytes:", (unsigned long)bytes);
  print_digest("", digest);
  return digest;
}

/* Solves the correction in calls of bounded work, between which a firmware does what cannot wait; then uses it. */
static int32_t refit(void) {
  int32_t code = 0;
  int calls = 0;
  for (uint32_t from = 0; from < SAFFU_VOCABULARY; from += REFIT_ROWS, ++calls) {
    const uint32_t to = from + REFIT_ROWS < SAFFU_VOCABULARY ? from + REFIT_ROWS : SAFFU_VOCABULARY;
    if (failed("refit", code = saffu_refit(from, to, MASS, STEP))) return code;
  }
  printf("\nrefitted in %d calls of %d rows\n", calls, REFIT_ROWS);
  failed("correct", code = saffu_correct(1));
  return code;
}

/* Prints a refusal that is meant to be; anything else is a failure. */
static int32_t expect(const char *call, int32_t code, int32_t expected) {
  printf("%s: %ld, %s\n", call, (long)code, saffu_meaning(code));
  if (code == expected) return 0;
  fprintf(stderr, "%s: %ld expected\n", call, (long)expected);
  return SAFFU_RUNTIME;
}

/* Calls that a module refuses, and that it is as it was then. Nothing is observed at this point. */
static int32_t refusals(int learns) {
  uint64_t before, after;
  size_t bytes;
  int32_t wrong = 0;
  printf("\nrefusals\n");
  if (failed("reset", saffu_reset()) || failed("predict", saffu_predict())) return SAFFU_RUNTIME;
  before = digest_of(NOTHING, saffu_probabilities(), SAFFU_VOCABULARY * 4);
  wrong |= expect("feed(V)", (int32_t)saffu_feed(SAFFU_VOCABULARY), SAFFU_OUT_OF_RANGE);
  wrong |= expect("append(2^32 - 1)", saffu_append(0xffffffff), SAFFU_OUT_OF_RANGE);
  wrong |= expect("sample(-1, 0, 1)", saffu_sample(-1, 0, 1), SAFFU_OUT_OF_RANGE);
  if (learns) {
    uint8_t *statistics = saffu_statistics(&bytes);
    wrong |= expect("refit(0, V + 1)", saffu_refit(0, SAFFU_VOCABULARY + 1, MASS, STEP), SAFFU_OUT_OF_RANGE);
    wrong |= expect("forget(65)", (int32_t)saffu_forget(65), SAFFU_NOT_OBSERVED);
    memset(statistics + bytes - 4, 0xff, 4); /* as after 2^32 - 1 tokens */
    wrong |= expect("observe(65)", (int32_t)saffu_observe(65), SAFFU_FULL);
    memset(statistics + bytes - 4, 0, 4);
  } else {
    wrong |= expect("observe(65)", (int32_t)saffu_observe(65), SAFFU_NOT_COMPILED);
    wrong |= expect("refit(0, 1)", saffu_refit(0, 1, MASS, STEP), SAFFU_NOT_COMPILED);
  }
#if SAFFU_WEIGHT_BYTES > 0
  saffu_append(65);
  saffu_flash_broken = 1;
  wrong |= expect("predict()", saffu_predict(), SAFFU_READ_FAILED);
  wrong |= expect("reset()", saffu_reset(), SAFFU_READ_FAILED);
  wrong |= expect("predict()", saffu_predict(), SAFFU_NOT_READY);
  saffu_flash_broken = 0;
  if (failed("reset", saffu_reset())) return SAFFU_RUNTIME;
#endif
  if (failed("predict", saffu_predict())) return SAFFU_RUNTIME;
  after = digest_of(NOTHING, saffu_probabilities(), SAFFU_VOCABULARY * 4);
  printf("probabilities as before: %s\n", before == after ? "yes" : "no");
  return wrong;
}

static int32_t run(void) {
  uint64_t base, corrected, forgotten, empty;
  int32_t code;
  if (failed("start", code = saffu_start())) return code;
  printf("module of %lu bytes, weights in flash %lu, memory %lu\n%s\n", (unsigned long)SAFFU_MODULE_BYTES,
         (unsigned long)SAFFU_WEIGHT_BYTES, (unsigned long)SAFFU_MEMORY_BYTES, SAFFU_DIGEST);
  if ((code = expect("\npredict() before reset", saffu_predict(), SAFFU_NOT_READY)) < 0) return code;

  if ((code = generate("written by the base", &base)) < 0) return code;
  if ((code = go_through("scored by the base", saffu_feed)) < 0) return code;
  const int learns = saffu_correct(0) != SAFFU_NOT_COMPILED;
  if (learns) {
    printf("\n");
    empty = print_statistics();
    if ((code = go_through("observed", saffu_observe)) < 0) return code;
    print_statistics();
    if ((code = refit()) < 0) return code;
    if ((code = generate("written with the correction", &corrected)) < 0) return code;
    if ((code = go_through("scored with the correction", saffu_feed)) < 0) return code;
    if ((code = go_through("forgotten", saffu_forget)) < 0) return code;
    printf("as before it was observed: %s\n", print_statistics() == empty ? "yes" : "no");
    if ((code = refit()) < 0) return code;
    if ((code = generate("written once it is forgotten", &forgotten)) < 0) return code;
    printf("as the base: %s\n", forgotten == base ? "yes" : "no");
  }
  return refusals(learns);
}

int main(void) { return run() < 0 ? 1 : 0; }
