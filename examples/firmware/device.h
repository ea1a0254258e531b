/*
 * A saffu module, called from C. One instance, one context; nothing is allocated here, and memory does not grow. A file for each
 * runtime implements it: device-wasm3.c.
 *
 *     if (saffu_start() < 0) return failed(saffu_error());
 *     saffu_reset();
 *     saffu_seed(7);
 *     for (int32_t token; (token = saffu_sample(0.8f, 0, 1)) >= 0; saffu_append(token)) emit(token);
 */
#ifndef SAFFU_DEVICE_H
#define SAFFU_DEVICE_H
#include <stddef.h>
#include <stdint.h>

/* What a call answers in place of a result ≥ 0. But for RUNTIME they are the module's own: after those nothing has changed. */
enum {
  SAFFU_OUT_OF_RANGE = -1,
  SAFFU_FULL = -2,
  SAFFU_NOT_OBSERVED = -3,
  SAFFU_NOT_COMPILED = -4,
  SAFFU_READ_FAILED = -5,
  SAFFU_NOT_READY = -6,
  SAFFU_RUNTIME = -7, /* the runtime refused or trapped: saffu_error says why */
  SAFFU_ENDED = -8,   /* the message has ended */
  SAFFU_NO_MESSAGE = -9
};

/* What `code` means, for a log. Static text. */
const char *saffu_meaning(int32_t code);
/* What the runtime said last; "" if nothing. */
const char *saffu_error(void);

/* Loads the module of saffu_model.h. Once, before all else. 0 or SAFFU_RUNTIME. */
int32_t saffu_start(void);

/* Empties the context. 0; READ_FAILED: try again. */
int32_t saffu_reset(void);
/* Appends a token without predicting it, and without the mixture adapting to it: what was sampled. 0; OUT_OF_RANGE, NOT_READY. */
int32_t saffu_append(uint32_t token);
/* Surprisal of `token` in bits, then appends it: a text, a prompt. Below 0: a code. */
float saffu_feed(uint32_t token);
/* Makes saffu_probabilities those of the token that comes next. 0; READ_FAILED, NOT_READY. */
int32_t saffu_predict(void);
/* Seeds the generator of saffu_sample. 0. */
int32_t saffu_seed(uint32_t value);
/*
 * After saffu_predict: saffu_sample draws `token` in proportion to `weight` in place of its probability; below 0: not at all. It holds
 * until the context changes, and saffu_append must do that, not saffu_feed. Token < V.
 */
void saffu_weigh(uint32_t token, float weight);
/* Draws the next token and does not append it. temperature 0: the likeliest; top_k 0, top_p 1: off. OUT_OF_RANGE is an option. */
int32_t saffu_sample(float temperature, uint32_t top_k, float top_p);

/*
 * Messages, where the header was made with --pack (SAFFU_PACK > 0): docs/messages.md, and message.h for whole ones. Codes as of the
 * exports. saffu_frame: SAFFU_PACK bytes, for saffu_packed to fill and saffu_unpack_from to read.
 */
int32_t saffu_pack_from(uint32_t begin);
int32_t saffu_pack_token(uint32_t token);
int32_t saffu_packed(void);
int32_t saffu_unpack_from(uint32_t begin, uint32_t bytes);
int32_t saffu_unpack_token(void);
uint8_t *saffu_frame(void);

/* Adds `token` to the statistics and appends it; its surprisal under the base in bits. FULL: then nothing was added. */
float saffu_observe(uint32_t token);
/* Takes away what saffu_observe added: the same tokens from the same reset. NOT_OBSERVED: then nothing was taken. */
float saffu_forget(uint32_t token);
/* Solves rows from..to of the correction (to ≤ V): the work of a call is in proportion. pseudo_counts: α, in tokens; step: s. */
int32_t saffu_refit(uint32_t from, uint32_t to, float pseudo_counts, float step);
/* Predicts with the correction from now on, or (0) with the base. 0; NOT_COMPILED where the module does not learn. */
int32_t saffu_correct(int32_t on);

/* (V) f32, little-endian, of unit sum: of the last saffu_predict, saffu_feed or saffu_sample. */
const uint8_t *saffu_probabilities(void);
/*
 * What was learnt, `*bytes` of it: sums, then the count of tokens as u32. To keep it over a power cut write these bytes to flash,
 * and copy them back after saffu_start and before saffu_refit. NULL where the module does not learn.
 */
uint8_t *saffu_statistics(size_t *bytes);
/* Set: reads from flash fall short, as on a broken bus. For tests. */
extern int saffu_flash_broken;

#endif
