/* Bytes to tokens and back, with the table of saffu_model.h; integers and no memory of its own. */
#ifndef SAFFU_TOKENS_H
#define SAFFU_TOKENS_H
#include <stddef.h>
#include <stdint.h>

/*
 * Encodes text of `bytes` bytes into out_tokens, which has room for as many, and returns how many tokens there are. For ASCII they
 * are the tokens of `saffu eval` and `observe`, so statistics of a device and of a host can be merged; a byte above 127 counts as a
 * letter (right for letters, not for typographic signs: then more tokens, and still a valid text).
 */
size_t saffu_encode(const char *text, size_t bytes, uint16_t *out_tokens);
/*
 * The same of the first piece of text alone, for texts that are longer than what there is room for: returns the bytes of the piece, 1..SAFFU_MOST_PIECE
 * where bytes > 0; *out_count: its tokens. out_tokens has room for SAFFU_MOST_PIECE.
 */
enum { SAFFU_MOST_PIECE = 256 };
size_t saffu_encode_piece(const char *text, size_t bytes, uint16_t *out_tokens, size_t *out_count);
/* Bytes of `text`, from its beginning, that have the same tokens whatever follows it: all but about the last word. */
size_t saffu_settled(const char *text, size_t bytes);
/* The bytes of a token, *out_bytes of them, not terminated. Token < V. */
const uint8_t *saffu_token(uint32_t token, size_t *out_bytes);

#endif
