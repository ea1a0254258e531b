/*
 * Finishes the word that each argument leaves unfinished, and goes on a little: `complete "It was a dark nig"` prints "ht, …".
 *
 * The tokens of a text's end depend on what follows, so the last word is taken back (docs/api.md, heal). For each place in it where a
 * token could begin that covers the end, the text before that place is read, and every token that fits is weighed by
 * p(tokens of the word before it) · p(token). One is drawn by these weights. The text is read once for each byte taken back: a device
 * that can copy the module's memory reads it once, and goes back to the copy.
 */
#include "device.h"
#include "saffu_model.h"
#include "tokens.h"
#include <stdio.h>
#include <string.h>

enum { MOST_BYTES = 512, MOST_TAKEN = 32, WRITTEN = 8 };

static uint16_t tokens[MOST_BYTES];
static float weights[SAFFU_VOCABULARY];   /* of each token; below 0 where it covers nothing */
static uint8_t beginnings[SAFFU_VOCABULARY]; /* where it begins, in the bytes taken back */

/* Empties the context and reads text. *out_p: the probability of its tokens from `from` on. 0 or a code. */
static int32_t read_text(const char *text, size_t from, size_t bytes, float *out_p) {
  const size_t settled = saffu_encode(text, from, tokens);
  const size_t count = settled + saffu_encode(text + from, bytes - from, tokens + settled);
  int32_t code = saffu_reset();
  if (code >= 0 && SAFFU_BEGIN != 65535) code = saffu_append(SAFFU_BEGIN);
  *out_p = 1;
  for (size_t i = 0; code >= 0 && i < count; ++i) {
    if (i >= settled) {
      float p;
      if ((code = saffu_predict()) < 0) return code;
      memcpy(&p, saffu_probabilities() + 4 * tokens[i], 4);
      *out_p *= p;
    }
    code = (int32_t)saffu_feed(tokens[i]);
  }
  return code;
}

/* Whether text[from..to) and then the bytes of `token` are encoded so that `token` is the last. */
static int is_last(const char *text, size_t from, size_t to, uint32_t token) {
  char all[MOST_TAKEN + 256];
  uint16_t encoded[sizeof all];
  size_t bytes;
  const uint8_t *of = saffu_token(token, &bytes);
  if (to - from + bytes > sizeof all) return 0;
  memcpy(all, text + from, to - from);
  memcpy(all + (to - from), of, bytes);
  return encoded[saffu_encode(all, to - from + bytes, encoded) - 1] == token;
}

/* Draws a token that covers the end of text, of which the bytes from `from` on are taken back, and appends it; a code below 0. */
static int32_t heal(const char *text, size_t from, size_t bytes, size_t *out_begins) {
  float p;
  int32_t code;
  size_t length;
  for (uint32_t token = 0; token < SAFFU_VOCABULARY; ++token) weights[token] = -1;
  for (size_t at = from; at < bytes; ++at) {
    int is_read = 0;
    for (uint32_t token = 0; token < SAFFU_VOCABULARY; ++token) {
      const uint8_t *of = saffu_token(token, &length);
      if (length < bytes - at || memcmp(of, text + at, bytes - at) != 0 || !is_last(text, from, at, token)) continue;
      if (!is_read) {
        if ((code = read_text(text, from, at, &p)) < 0 || (code = saffu_predict()) < 0) return code;
        is_read = 1;
      }
      float q;
      memcpy(&q, saffu_probabilities() + 4 * token, 4);
      if (p * q <= weights[token]) continue; /* of two places where it fits the likelier */
      weights[token] = p * q;
      beginnings[token] = (uint8_t)(at - from);
    }
  }
  if ((code = saffu_predict()) < 0) return code;
  for (uint32_t token = 0; token < SAFFU_VOCABULARY; ++token) saffu_weigh(token, weights[token]);
  const int32_t token = saffu_sample(0, 0, 1);
  if (token < 0) return token;
  *out_begins = from + beginnings[token];
  if ((code = read_text(text, from, *out_begins, &p)) < 0 || (code = saffu_append((uint32_t)token)) < 0) return code;
  return token;
}

int main(int arguments, char **texts) {
  int32_t code = saffu_start();
  if (code >= 0) code = saffu_reset();
  for (int i = 1; i < arguments && code >= 0; ++i) {
    const char *text = texts[i];
    const size_t bytes = strlen(text);
    size_t from = bytes < MOST_BYTES ? saffu_settled(text, bytes) : bytes;
    float p;
    if (bytes - from > MOST_TAKEN) from = bytes;
    printf("%s|", text);
    size_t shown = from < bytes ? bytes : 0, length;
    if (shown == 0) code = read_text(text, from, bytes, &p);
    for (int written = 0; code >= 0 && written < WRITTEN;) {
      size_t skip = 0;
      int32_t token;
      if (shown > 0) {
        size_t begins = from;
        token = heal(text, from, bytes, &begins);
        skip = bytes - begins;
        shown = 0;
      } else {
        token = saffu_sample(0, 0, 1);
        if (token >= 0) code = saffu_append((uint32_t)token);
      }
      if (token < 0) code = token;
      if (code < 0) break;
      const uint8_t *of = saffu_token((uint32_t)token, &length);
      written += skip < length; /* of the prompt's own tokens nothing is shown */
      for (size_t k = skip; k < length; ++k) printf(of[k] == '\n' || of[k] < ' ' || of[k] > 126 ? "\\x%02x" : "%c", of[k]);
    }
    printf("\n");
  }
  if (code < 0) fprintf(stderr, "%ld, %s\n", (long)code, saffu_meaning(code));
  return code < 0;
}
