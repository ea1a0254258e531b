/* Byte-level BPE as docs/format.md has it: the split into pieces, then merges within each piece. */
#include "tokens.h"
#include "saffu_model.h"
#include <string.h>

enum kind { SPACE, LETTER, NUMBER, SYMBOL };

static enum kind kind_of(char character) {
  const unsigned char c = (unsigned char)character;
  if (c == ' ' || (c >= '\t' && c <= '\r')) return SPACE;
  if (c >= '0' && c <= '9') return NUMBER;
  return (c | 32) >= 'a' && ((c | 32) <= 'z' || c > 127) ? LETTER : SYMBOL;
}

/* Most characters of a piece, but for a blank before it. */
static const size_t LONGEST = SAFFU_LONGEST_PIECE > 0 ? SAFFU_LONGEST_PIECE : SIZE_MAX;

/* End of the piece that begins at `at` < `end`: 's|'t|'re|'ve|'m|'ll|'d| ?L+| ?N+| ?[^sLN]+|s+(?!S)|s+, + up to LONGEST times; of lines, a newline by itself */
static size_t piece_end(const char *text, size_t at, size_t end) {
  if (SAFFU_LINES && text[at] == '\n') return at + 1;
  static const char CONTRACTIONS[7][3] = {"s", "t", "re", "ve", "m", "ll", "d"};
  if (text[at] == '\'') {
    for (int i = 0; i < 7; ++i) {
      const size_t length = strlen(CONTRACTIONS[i]);
      if (length < end - at && memcmp(text + at + 1, CONTRACTIONS[i], length) == 0) return at + 1 + length;
    }
  }
  /* a blank joins what follows it */
  size_t past = text[at] == ' ' && at + 1 < end && kind_of(text[at + 1]) != SPACE ? at + 1 : at;
  const enum kind kind = kind_of(text[past]);
  const size_t first = past;
  while (past < end && kind_of(text[past]) == kind && past - first < LONGEST) {
    if (SAFFU_LINES && text[past] == '\n') return past;
    ++past;
  }
  /* of a run of white space the last belongs to what follows */
  return kind == SPACE && past < end && kind_of(text[past]) != SPACE && past - at > 1 ? past - 1 : past;
}

size_t saffu_settled(const char *text, size_t bytes) {
  size_t settled = 0;
  for (size_t at = 0, end; at < bytes; at = end) {
    end = piece_end(text, at, bytes);
    /* the last piece may grow, and so may an apostrophe before it */
    if (end == bytes) break;
    if (end + 1 == bytes && text[end - 1] == '\'' && end - at == 1) break;
    /* white space before a word would be one piece if the text ended there */
    if (kind_of(text[end - 1]) != SPACE) settled = end;
  }
  return settled;
}

const uint8_t *saffu_token(uint32_t token, size_t *out_bytes) {
  *out_bytes = saffu_token_offsets[token + 1] - saffu_token_offsets[token];
  return saffu_token_bytes + saffu_token_offsets[token];
}

/* The token of the bytes of `left` and then of `right`; V if there is none. The tokens that `fit` makes have ids in order of rank. */
static uint32_t merged(uint32_t left, uint32_t right) {
  size_t left_bytes, right_bytes, bytes;
  const uint8_t *l = saffu_token(left, &left_bytes);
  const uint8_t *r = saffu_token(right, &right_bytes);
  for (uint32_t token = 256; token < SAFFU_VOCABULARY; ++token) {
    const uint8_t *t = saffu_token(token, &bytes);
    if (bytes == left_bytes + right_bytes && !memcmp(t, l, left_bytes) && !memcmp(t + left_bytes, r, right_bytes)) {
      return token;
    }
  }
  return SAFFU_VOCABULARY;
}

/* Merges the bytes of one piece into out_tokens, which has room for as many; how many tokens there are. */
static size_t merge_piece(const char *text, size_t length, uint16_t *out_tokens) {
  for (size_t i = 0; i < length; ++i) out_tokens[i] = (unsigned char)text[i];
  for (;;) {
    uint32_t best = SAFFU_VOCABULARY;
    size_t where = 0;
    for (size_t i = 0; i + 1 < length; ++i) {
      const uint32_t token = merged(out_tokens[i], out_tokens[i + 1]);
      if (token < best) {
        best = token;
        where = i;
      }
    }
    if (best == SAFFU_VOCABULARY) return length;
    out_tokens[where] = (uint16_t)best;
    --length;
    memmove(out_tokens + where + 1, out_tokens + where + 2, (length - where - 1) * sizeof *out_tokens);
  }
}

size_t saffu_encode_piece(const char *text, size_t bytes, uint16_t *out_tokens, size_t *out_count) {
  size_t end = bytes > 0 ? piece_end(text, 0, bytes) : 0;
  if (end > SAFFU_MOST_PIECE) end = SAFFU_MOST_PIECE; /* of tokenizers without a bound: other tokens, and still the text */
  *out_count = merge_piece(text, end, out_tokens);
  return end;
}

size_t saffu_encode(const char *text, size_t bytes, uint16_t *out_tokens) {
  size_t count = 0;
  for (size_t at = 0, end; at < bytes; at = end) {
    end = piece_end(text, at, bytes);
    count += merge_piece(text + at, end - at, out_tokens + count);
  }
  return count;
}
